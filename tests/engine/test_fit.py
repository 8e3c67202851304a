"""What a run says of itself, and that a frozen tensor which moves is found."""

import json
from itertools import count, islice

import pytest
from safetensors.torch import load_file

from ftcli.engine.run_folder import RunFolder
from ftcli.engine.whole_checkpoint import newest_whole
from ftcli.engine.work import Work
from ftcli.errors import FrozenTensorChanged, LoaderError, StoppedByUser
from ftcli.events import EpochDone, PhaseProved, PhaseStarted
from ftcli.workflows.evaluate import evaluate
from tests.numerics.runs import Stop, run, stop_after
from tests.toys import recipe, recorder


def test_lrs_of_every_epoch_are_the_plan_s(digits, tmp_path):
    events, listen = recorder()
    made = recipe(
        digits,
        strategy={"kind": "lp_ft", "head_epochs": 1},
        layer_lr={"kind": "discriminative", "backbone_divisor": 10},
        schedule={"kind": "cosine", "warmup": 0, "per": "epoch"},
        train={"epochs": 3, "batch_size": 8},
    )
    run(made, tmp_path / "run", listen)
    rows = [event for event in events if isinstance(event, EpochDone)]
    assert [row.phase for row in rows] == ["head", "fine-tune", "fine-tune"]
    assert [row.lr_head for row in rows] == pytest.approx([1e-3, 1e-3, 5e-4])
    assert [row.lr_lowest for row in rows] == pytest.approx([1e-3, 1e-4, 5e-5])


def test_phases_start_and_are_proved_in_order(digits, tmp_path):
    events, listen = recorder()
    strategy = {"kind": "gradual", "to_stage": "layer3"}
    result = run(
        recipe(digits, strategy=strategy, train={"epochs": 3, "batch_size": 8}), tmp_path / "run", listen
    )
    told = [e for e in events if isinstance(e, (PhaseStarted, PhaseProved))]
    assert [type(e).__name__ for e in told] == ["PhaseStarted", "PhaseProved"] * 3
    proofs = [e for e in told if isinstance(e, PhaseProved)]
    assert [p.checked for p in proofs] == sorted((p.checked for p in proofs), reverse=True)
    assert result.frozen.checked == proofs[0].checked > 0
    assert result.frozen.changed == 0


def test_a_frozen_tensor_that_moves_is_named_and_ends_the_run_with_1(digits, tmp_path, monkeypatch):
    honest = Work.forward

    def drifting(self, images):
        self.network.model.get_buffer("layer1.0.bn1.running_mean").add_(1e-7)
        return honest(self, images)

    monkeypatch.setattr(Work, "forward", drifting)
    with pytest.raises(FrozenTensorChanged, match=r"1 of \d+ frozen tensors moved") as caught:
        run(recipe(digits, strategy="feature_extraction", augment="light"), tmp_path / "run")
    assert caught.value.exit_code == 1
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["frozen"]["changed"] == 1
    with pytest.raises(FrozenTensorChanged, match=r"1 of \d+ frozen tensors moved"):
        run(recipe(digits, strategy="feature_extraction", augment="light"), tmp_path / "run", resume=True)
    assert summary["frozen"]["names"] == ["layer1.0.bn1.running_mean"]


def test_early_stopping_ends_the_run(digits, tmp_path):
    stopping = {"epochs": 20, "batch_size": 8, "early_stopping": {"patience": 1, "min_delta": 1.0}}
    result = run(recipe(digits, train=stopping), tmp_path / "run")
    assert result.epochs_run == 2


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "macro_f1", "loss"])
def test_the_best_epoch_is_the_one_of_the_checkpoint_metric(metric, digits, tmp_path):
    train = {"epochs": 4, "batch_size": 8, "checkpoint_metric": metric, "checkpoint_rule": "best"}
    result = run(recipe(digits, train=train, optimizer={"kind": "adamw", "lr": 0.003}), tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    values = [row["val"][metric] for row in rows]
    assert result.best_epoch == values.index(min(values) if metric == "loss" else max(values))


def test_bf16_on_the_cpu_trains_too(digits, tmp_path):
    result = run(recipe(digits, train={"epochs": 1, "batch_size": 8, "precision": "bf16"}), tmp_path / "run")
    assert 0 <= result.test.accuracy <= 1


def test_group_norm_replaces_batch_norm_and_is_read_back(digits, tmp_path):
    result = run(recipe(digits, norm="group_norm"), tmp_path / "run")
    assert evaluate(tmp_path / "run")["accuracy"] == result.test.accuracy
    assert not any("running_" in name for name in load_file(tmp_path / "run" / "best.safetensors"))


def test_the_test_set_is_measured_with_the_best_weights_not_the_last(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("ftcli.engine.records.beats", lambda plan, scores, record: record is None)
    train = {"epochs": 4, "batch_size": 8, "checkpoint_rule": "best"}
    result = run(recipe(digits, train=train), tmp_path / "run")
    assert (result.best_epoch, result.epochs_run) == (0, 4)
    assert result.test.loss == pytest.approx(evaluate(tmp_path / "run")["loss"], rel=1e-5)


def test_probes_see_images_without_augmentation(digits, tmp_path, monkeypatch):
    from ftcli.engine.batches import ImageBatches

    started = run(recipe(digits, strategy="scratch", augment="none"), tmp_path / "weights")
    epochs: list[int] = []
    drawn = ImageBatches.training

    def counted(self, epoch, augment, *arguments):
        epochs.append(epoch)
        return drawn(self, epoch, augment, *arguments)

    monkeypatch.setattr(ImageBatches, "training", counted)
    pretrained = {"backbone": "timm/test_resnet", "weights": started.weights}
    run(
        recipe(
            digits,
            model=pretrained,
            augment={"kind": "strong", "mix": "mixup"},
            train={"epochs": 1, "batch_size": 8},
        ),
        tmp_path / "run",
    )
    assert epochs == [0], "only the run's own epoch draws augmented images; the probe trains on features"


def ended_at_batch(number, error, monkeypatch):
    """The run's loader gives so many groups of batches, then this."""
    asked = count()

    def given(batches, size):
        if next(asked) == number:
            raise error
        return islice(batches, size)

    monkeypatch.setattr("ftcli.engine.epoch.islice", given)


def test_steps_before_loaders_died_are_kept(digits, tmp_path, monkeypatch):
    ended_at_batch(3, LoaderError("workers died"), monkeypatch)
    made = recipe(digits, train={"epochs": 1, "batch_size": 8})
    with pytest.raises(LoaderError):
        run(made, tmp_path / "run")
    found = newest_whole(RunFolder(tmp_path / "run").checkpoints, print)
    assert found is not None
    assert found[0].progress["so_far"]["step"] == 3


def test_what_a_stopped_run_says_is_kept_where_it_may_roll_back(digits, tmp_path, monkeypatch):
    """A rollback may need the state at the epoch's start: that of a step would be in its place."""
    train = {"epochs": 2, "batch_size": 8, "on_non_finite": "rollback"}
    ended_at_batch(9, KeyboardInterrupt(), monkeypatch)
    with pytest.raises(StoppedByUser, match="stopped; every finished epoch is kept"):
        run(recipe(digits, train=train), tmp_path / "run")
    found = newest_whole(RunFolder(tmp_path / "run").checkpoints, print)
    assert found is not None
    assert (found[0].progress["epoch"], found[0].progress["so_far"]["step"]) == (1, 0)


def test_how_many_examples_fit_is_known_to_a_resumed_run(digits, tmp_path):
    """Or it would run out of memory once more."""
    made = recipe(digits, train={"epochs": 2, "batch_size": 8})
    sizes = []

    def fit_with(size):
        own = Work.__post_init__

        def made_small(work):
            own(work)
            work.steps.size = size

        return made_small

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "__post_init__", fit_with(3))
        with pytest.raises(Stop):
            run(made, tmp_path / "run", stop_after(1))
    keep = Work.keep
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Work, "keep", lambda work, *a, **k: (sizes.append(work.steps.size), keep(work, *a, **k))
        )
        run(made, tmp_path / "run", resume=True)
    assert sizes
    assert set(sizes) == {3}
