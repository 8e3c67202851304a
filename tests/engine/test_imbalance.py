"""Whole runs on classes out of balance: what weighs, draws and chooses does what it is there for."""

import json

import pytest
import torch

from ftcli.engine.fit import fit
from ftcli.engine.progress import Progress
from ftcli.engine.work import Work
from ftcli.planner.compile import compile_plan
from ftcli.plans.data_facts import DataFacts
from ftcli.workflows.decoded import image_batches
from ftcli.workflows.prepare import prepare
from tests.numerics.runs import run
from tests.toys import digit_images, ignore, recipe


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Digits 3 and 8, ten times as many of the first."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("uneven")
    images, labels = digit_images()
    for label, count in ((3, 150), (8, 15)):
        (folder / f"digit {label}").mkdir()
        for number, image in enumerate(images[labels == label][:count]):
            Image.fromarray(image).save(folder / f"digit {label}" / f"{number:03}.png")
    return folder


def trained(made):
    """The plan compiled with the counts of its classes, performed; the plan, and recall of the rare class on train."""
    prepared = prepare(made)
    counts = tuple(prepared.splits.count_per_class("train").values())
    plan = prepared.plan
    facts = DataFacts(plan.classes, plan.num_train, plan.preprocessing, counts)
    plan = compile_plan(made, plan.layer_map, facts, plan.machine)
    work = Work(
        plan, prepared.network, image_batches(made, prepared, lambda d, n: None), prepared.augment, ignore
    )
    fit(work, Progress())
    logits, labels = work.predict("train")
    return plan, (logits.argmax(1)[labels == 1] == 1).double().mean().item()


def short(folder, **sections):
    train = {"epochs": 2, "batch_size": 16, **sections.pop("train", {})}
    return recipe(folder, strategy="feature_extraction", train=train, **sections)


REMEDIES = {
    "weights": {"objective": {"kind": "cross_entropy", "class_weights": "balanced"}},
    "focal": {"objective": {"kind": "focal", "class_weights": "balanced"}},
    "sampler": {"train": {"sampler": "balanced"}},
}


@pytest.mark.parametrize("remedy", REMEDIES)
def test_each_remedy_finds_more_of_the_rare_class(remedy, uneven):
    plan, before = trained(short(uneven))
    assert plan.checkpoint_metric == "macro_f1"
    assert [f.rule for f in plan.findings] == ["class-imbalance"]
    assert before < 0.2, "left alone, the rare class is not learned"
    plan, after = trained(short(uneven, **REMEDIES[remedy]))
    assert plan.findings == ()
    assert after > before + 0.2


def test_balanced_weights_are_not_performed_without_the_counts(uneven):
    made = short(uneven, objective={"kind": "cross_entropy", "class_weights": "balanced"})
    prepared = prepare(made)
    plan = prepared.plan
    unknown = DataFacts(plan.classes, plan.num_train, plan.preprocessing)
    plan = compile_plan(made, plan.layer_map, unknown, plan.machine)
    batches = image_batches(made, prepared, lambda d, n: None)
    with pytest.raises(ValueError, match="without the number of examples"):
        fit(Work(plan, prepared.network, batches, prepared.augment, ignore), Progress())


def test_validation_loss_stays_the_plain_one(uneven, tmp_path):
    focal = {"kind": "focal", "class_weights": {"digit 8": 20.0}}
    result = run(short(uneven, objective=focal), tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    best = rows[result.best_epoch]
    made = prepare(short(uneven))
    work = Work(made.plan, made.network, image_batches(short(uneven), made, lambda d, n: None), None, ignore)
    from ftcli.engine.weights_file import load_model

    work.network.model.load_state_dict(load_model(tmp_path / "run" / "best.safetensors")[0])
    logits, labels = work.predict("val")
    plain = torch.nn.functional.cross_entropy(logits, labels).item()
    assert best["val"]["loss"] == pytest.approx(plain, rel=1e-4)


def test_the_test_report_is_in_the_summary(uneven, tmp_path):
    result = run(short(uneven), tmp_path / "run")
    kept = json.loads((tmp_path / "run" / "summary.json").read_text())
    report = kept["test_report"]
    assert report == result.test_report
    assert report["accuracy"] == result.test.accuracy
    assert report["balanced_accuracy"] == result.test.balanced_accuracy
    assert sum(map(sum, report["confusion"])) == result.test.num_examples
    low, high = report["intervals"]["accuracy"]
    assert low <= result.test.accuracy <= high


def test_a_summary_from_before_it_was_measured_is_read(uneven, tmp_path):
    result = run(short(uneven), tmp_path / "run")
    path = tmp_path / "run" / "summary.json"
    kept = json.loads(path.read_text())
    del kept["test_report"]
    del kept["test"]["balanced_accuracy"]
    path.write_text(json.dumps(kept))
    again = run(short(uneven), tmp_path / "run", resume=True)
    assert again.test_report is None
    assert again.test.balanced_accuracy is None
    assert again.test.accuracy == result.test.accuracy
