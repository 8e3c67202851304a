"""Floor, ceiling and verdict of real runs on weights that were really trained."""

import json

import pytest
import torch
from safetensors.torch import load_file

from ftcli.engine.progress import compared_by
from ftcli.events import Scores
from ftcli.workflows.train import train
from ftcli.workflows.verdict import verdict_of
from tests.toys import ignore, recipe, write_digits


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"), per_class=60)


@pytest.fixture(scope="module")
def pretrained(digits, tmp_path_factory):
    """A small network that tells these digits apart, as a weights file."""
    out = tmp_path_factory.mktemp("pretrained") / "run"
    made = recipe(digits, strategy="scratch", train={"epochs": 12, "batch_size": 8}, seed=5)
    result = train(made, out=out, resume=False, listener=ignore)
    assert result.test.accuracy > 0.7
    return out / "best.safetensors"


def run(digits, pretrained, out, **sections):
    made = recipe(digits, model={"backbone": "timm/test_resnet", "weights": str(pretrained)}, **sections)
    return train(made, out=out, resume=False, listener=ignore)


def test_a_gentle_run_keeps_what_the_probe_has(digits, pretrained, tmp_path):
    gentle = {"strategy": {"kind": "lp_ft", "head_epochs": 10}, "augment": "none", "optimizer": {"lr": 3e-3}}
    result = run(digits, pretrained, tmp_path / "run", **gentle, train={"epochs": 12, "batch_size": 8})
    assert result.floor is not None
    assert result.ceiling is not None
    assert result.floor.accuracy > 0.7
    assert result.verdict_kind in ("gain", "no_clear_gain")


def test_a_destroying_lr_is_named_with_evidence(digits, pretrained, tmp_path):
    wild = {"optimizer": {"kind": "adamw", "lr": 0.3}, "layer_lr": "uniform", "schedule": "constant"}
    short = {"epochs": 2, "batch_size": 8, "clip_norm": None}
    result = run(digits, pretrained, tmp_path / "run", norm="freeze", train=short, **wild)
    assert result.verdict_kind == "below_floor"
    (finding,) = [f for f in result.findings if f.severity == "error"]
    assert (finding.where, finding.rule) == ("optimizer.lr", "below-linear-probe")
    assert "moved by" in finding.message
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["verdict_kind"] == "below_floor"


def test_drifted_batch_norm_is_named_with_evidence(digits, pretrained, tmp_path):
    from ftcli.engine.diagnose import gather_evidence
    from ftcli.engine.drift import DriftMeter
    from ftcli.engine.work import Work
    from ftcli.planner.monitors.history import History
    from ftcli.workflows.decoded import image_batches
    from ftcli.workflows.harm import explain_harm
    from ftcli.workflows.prepare import prepare

    made = recipe(digits, model={"backbone": "timm/test_resnet", "weights": str(pretrained)})
    prepared = prepare(made)
    batches = image_batches(made, prepared, lambda done, total: None)
    work = Work(prepared.plan, prepared.network, batches, prepared.augment, ignore)
    head = {name: t for name, t in load_file(pretrained).items() if name.startswith("fc.")}
    prepared.network.model.load_state_dict(head, strict=False)
    before = {name: t.clone() for name, t in prepared.network.model.state_dict().items()}
    work.meter = DriftMeter(work, before)
    for bn in prepared.network.layer_map.batch_norms:
        prepared.network.model.get_buffer(f"{bn.name}.running_var").mul_(30)
    evidence = gather_evidence(work, before)
    assert evidence.is_batch_norm
    assert set(evidence.moved.values()) == {0.0}
    finding = explain_harm(work, History(prepared.plan))
    assert (finding.where, finding.rule) == ("norm", "below-linear-probe")
    assert prepared.network.model.get_buffer("bn1.running_var").mean() > 2 * before["bn1.running_var"].mean()


def test_the_probe_leaves_no_trace(digits, pretrained, tmp_path, monkeypatch):
    import ftcli.workflows.train

    strategy = {"kind": "lp_ft", "head_epochs": 1}
    made = {"train": {"epochs": 2, "batch_size": 8}, "augment": "light", "strategy": strategy}
    run(digits, pretrained, tmp_path / "with", **made)
    monkeypatch.setattr(
        ftcli.workflows.train, "floor_of", lambda recipe, prepared, work, known: Scores(0.5, 0.5, 1.0, 10)
    )
    run(digits, pretrained, tmp_path / "without", **made)
    one, other = (load_file(tmp_path / n / "best.safetensors") for n in ("with", "without"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_probe_is_its_own_floor(digits, pretrained, tmp_path):
    result = run(digits, pretrained, tmp_path / "run", strategy="feature_extraction")
    assert result.floor is not None
    assert result.ceiling is None
    assert result.verdict_kind == "probe_only"


def scores(accuracy, count=1000):
    return Scores(accuracy, accuracy, 1.0, count)


@pytest.mark.parametrize(
    ("floor", "ceiling", "pretrained", "kind"),
    [
        (scores(0.90), scores(0.98), True, "gain"),
        (scores(0.90), scores(0.905), True, "no_clear_gain"),
        (scores(0.90), scores(0.895), True, "no_clear_gain"),
        (scores(0.90), scores(0.88), True, "no_clear_gain"),
        (scores(0.90), scores(0.80), True, "below_floor"),
        (scores(0.90, 20), scores(0.95, 20), True, "no_clear_gain"),
        (scores(0.90), None, True, "probe_only"),
        (None, None, False, "scratch"),
    ],
)
def test_verdicts(floor, ceiling, pretrained, kind):
    assert verdict_of(floor, ceiling, pretrained)[0] == kind


def test_the_score_that_chose_the_epoch_is_compared_and_named():
    """Of rare classes the model learned much, of the accuracy nothing is to be seen."""
    floor, ceiling = Scores(0.95, 0.50, 1.0, 2000, 0.5), Scores(0.95, 0.70, 1.0, 2000, 0.75)
    counts = [1000, 1000]
    assert verdict_of(floor, ceiling, True)[0] == "no_clear_gain"
    kind, told = verdict_of(floor, ceiling, True, "macro_f1", counts)
    assert (kind, told) == ("gain", "fine-tuning beats the linear probe by 20.0 points of macro F1")
    assert (
        "25.0 points of balanced accuracy" in verdict_of(floor, ceiling, True, "balanced_accuracy", counts)[1]
    )
    assert "20.0 points of macro F1 below" in verdict_of(ceiling, floor, True, "macro_f1", counts)[1]


def test_a_rare_class_makes_a_mean_over_classes_unsure():
    """990 of one class and 4 of the other are worth 16 examples, not 994."""
    floor, ceiling = Scores(0.95, 0.60, 1.0, 994, 0.60), Scores(0.95, 0.70, 1.0, 994, 0.70)
    assert verdict_of(floor, ceiling, True, "balanced_accuracy", [497, 497])[0] == "gain"
    assert verdict_of(floor, ceiling, True, "balanced_accuracy", [990, 4])[0] == "no_clear_gain"
    assert verdict_of(floor, ceiling, True, "balanced_accuracy", [990, 4, 0])[0] == "no_clear_gain"


@pytest.mark.parametrize(
    ("metric", "compared"), [("macro_f1", "macro_f1"), ("accuracy", "accuracy"), ("loss", "accuracy")]
)
def test_a_loss_has_no_error_so_the_accuracy_stands_in(metric, compared):
    assert compared_by(metric) == compared


def test_a_run_that_is_chosen_by_macro_f1_is_judged_by_it(digits, pretrained, tmp_path):
    train = {"epochs": 2, "batch_size": 8, "checkpoint_metric": "macro_f1"}
    result = run(digits, pretrained, tmp_path / "run", train=train)
    assert "points of macro F1" in result.verdict


@pytest.mark.parametrize(("schedule", "rule"), [("cosine", "last"), ("constant", "best")])
def test_the_floor_s_epoch_is_picked_as_the_run_s(digits, pretrained, schedule, rule):
    from ftcli.workflows.prepare import prepare
    from ftcli.workflows.probe import _planned

    model = {"backbone": "timm/test_resnet", "weights": str(pretrained)}
    made = recipe(digits, model=model, schedule={"kind": schedule})
    prepared = prepare(made)
    _, probing = _planned(made, prepared)
    assert prepared.plan.checkpoint_rule == probing.checkpoint_rule == rule


def test_evidence_of_harm_is_in_the_score_that_was_compared(digits, pretrained):
    from ftcli.engine.diagnose import gather_evidence
    from ftcli.engine.work import Work
    from ftcli.workflows.decoded import image_batches
    from ftcli.workflows.prepare import prepare

    made = recipe(
        digits,
        model={"backbone": "timm/test_resnet", "weights": str(pretrained)},
        train={"epochs": 1, "batch_size": 8, "checkpoint_metric": "macro_f1"},
    )
    prepared = prepare(made)
    batches = image_batches(made, prepared, lambda done, total: None)
    work = Work(prepared.plan, prepared.network, batches, prepared.augment, ignore)
    evidence = gather_evidence(work, prepared.network.model.state_dict())
    assert (evidence.metric, evidence.score) == ("macro_f1", work.evaluate("val").macro_f1)
