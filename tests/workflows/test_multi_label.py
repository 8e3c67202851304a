"""Whole runs on images with several classes: collages of digits."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ftcli.errors import RecipeError
from ftcli.events import EpochDone
from ftcli.report.folds import folds_view
from ftcli.workflows.evaluate import evaluate
from ftcli.workflows.predict import predict
from ftcli.workflows.prepare import prepare
from ftcli.workflows.train_folds import train_folds
from tests.numerics.runs import Stop, run, same_bits, stop_after
from tests.report.report_samples import in_pipe
from tests.toys import digit_images, ignore, recipe, recorder, write_digits


@pytest.fixture(scope="module")
def collages(tmp_path_factory):
    """160 collages of none to four of the digits 0 to 2, in a manifest."""
    folder = tmp_path_factory.mktemp("collages")
    images, labels = digit_images()
    images, labels = images[labels < 3], labels[labels < 3]
    rng = np.random.default_rng(0)
    rows = ["file_name,label"]
    for number in range(160):
        canvas, told = np.zeros((16, 16), np.uint8), set()
        for place in rng.permutation(4)[: rng.integers(0, 4)]:
            one, row, column = rng.integers(len(labels)), 8 * (place // 2), 8 * (place % 2)
            canvas[row : row + 8, column : column + 8] = images[one]
            told.add(f"digit {labels[one]}")
        canvas[0, 0] = number  # no two are the same
        Image.fromarray(canvas).save(folder / f"{number:03}.png")
        rows.append(f"{number:03}.png,{'|'.join(sorted(told))}")
    (folder / "list.csv").write_text("\n".join(rows))
    return folder


def several(folder, **sections):
    data = {"kind": "csv", "path": str(folder / "list.csv"), "multi_label": True, "image_size": 32}
    return recipe(folder, data=data, **sections)


@pytest.fixture(scope="module")
def trained(collages, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    events, listen = recorder()
    train = {"epochs": 8, "batch_size": 16, "accumulation": 2}
    optimizer = {"kind": "adamw", "lr": 0.01}
    return run(several(collages, train=train, optimizer=optimizer, strategy="scratch"), out, listen), events


def test_it_learns_and_is_judged_by_mean_average_precision(trained):
    result, events = trained
    rows = [event.val for event in events if isinstance(event, EpochDone)]
    best = max(row.mean_average_precision for row in rows)
    assert rows[-1].mean_average_precision > best - 0.1, "of 24 images it is as good"
    assert result.best_epoch == 7
    assert result.val == rows[-1]
    assert result.test.mean_average_precision > 0.6
    assert rows[-1].loss < rows[0].loss
    plan = json.loads((trained_folder(result) / "plan.json").read_text())
    assert plan["objective"]["multi_label"] is True
    assert plan["checkpoint_metric"] == "mean_average_precision"


def trained_folder(result):
    return Path(result.run)


def test_evaluate_measures_the_same_again_and_calibrates(trained):
    result, _ = trained
    again = evaluate(trained_folder(result), calibrate=True)
    assert again["mean_average_precision"] == result.test.mean_average_precision
    assert again["accuracy"] == result.test.accuracy
    assert again["multi_label"] is True
    assert again["calibration"]["temperature"] > 0


def test_predict_tells_every_class_that_is_seen(trained, collages):
    result, _ = trained
    told = predict(trained_folder(result), sorted(collages.glob("*.png"))[:20])
    for prediction in told:
        assert [guess.probability >= 0.5 for guess in prediction.labels] == [True] * len(prediction.labels)
        assert prediction.label == prediction.top[0].label
    assert {len(prediction.labels) for prediction in told} > {1}
    assert any(sum(guess.probability for guess in prediction.top) > 1.05 for prediction in told)
    assert json.loads(json.dumps(told[0].to_dict()))["labels"] is not None


def test_a_resumed_run_is_the_same_bits(collages, tmp_path):
    made = several(collages, train={"epochs": 3, "batch_size": 16}, augment={"kind": "light", "mix": "mixup"})
    run(made, tmp_path / "whole")
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(1))
    run(made, tmp_path / "cut", resume=True)
    assert same_bits(tmp_path / "whole", tmp_path / "cut")


def test_cached_features_have_the_targets_too(collages, tmp_path):
    result = run(several(collages, strategy="feature_extraction"), tmp_path / "run")
    assert 0 < result.test.mean_average_precision < 1


@pytest.mark.parametrize(
    "sections",
    [
        {"objective": {"kind": "focal"}},
        {
            "objective": {"kind": "cross_entropy", "class_weights": "balanced"},
            "train": {"epochs": 1, "label_smoothing": 0.1},
        },
        {"train": {"epochs": 1, "sampler": "balanced"}},
        {"augment": {"kind": "light", "mix": "cutmix"}, "train": {"epochs": 1}},
    ],
)
def test_what_helps_against_imbalance_and_overfitting_works_with_several_classes(
    sections, collages, tmp_path
):
    result = run(several(collages, **sections), tmp_path / "run")
    assert torch.isfinite(torch.tensor(result.test.loss))


def test_a_metric_of_multi_label_data_is_refused_elsewhere(collages, tmp_path):
    write_digits(tmp_path, per_class=8, classes=2)
    with pytest.raises(RecipeError) as caught:
        prepare(recipe(tmp_path, train={"checkpoint_metric": "mean_average_precision"}))
    assert "multi-label" in caught.value.problems[0].message
    with pytest.raises(RecipeError) as caught:
        prepare(several(collages, train={"checkpoint_metric": "balanced_accuracy"}))
    assert "multi-label" in caught.value.problems[0].message


def test_folds_are_pooled(collages, tmp_path):
    """By hand: scikit-learn's average precision and F1 over what each fold said of its own part."""
    from sklearn.metrics import average_precision_score, f1_score

    made = several(collages, train={"epochs": 2, "batch_size": 16}, strategy="scratch")
    data = made.data.model_copy(update={"split": made.data.split.model_copy(update={"folds": 2})})
    made = made.model_copy(update={"data": data})
    result = train_folds(made, out=tmp_path / "folds", resume=False, listener=ignore)
    logits, targets, keys = [], [], []
    for fold in result.folds:
        left = json.loads((Path(fold.run) / "out_of_fold.json").read_text())
        logits += left["logits"]
        targets += [[float(c in labels) for c in range(3)] for labels in left["labels"]]
        keys += left["keys"]
        assert fold.val.accuracy == pytest.approx(
            np.mean(
                [
                    [logit >= 0 for logit in said] == [c in labels for c in range(3)]
                    for said, labels in zip(left["logits"], left["labels"], strict=True)
                ]
            )
        )
    found = result.pooled
    assert found.num_examples == len(set(keys)) == len(keys)
    said, targets = np.array(logits), np.array(targets)
    assert found.mean_average_precision == pytest.approx(average_precision_score(targets, said), abs=1e-6)
    assert found.macro_f1 == pytest.approx(
        f1_score(targets, said >= 0, average="macro", zero_division=0), abs=1e-6
    )
    low, high = found.intervals["mean_average_precision"]
    assert low <= found.mean_average_precision <= high
    told = json.loads(json.dumps(result.to_dict()))
    values = [fold.test.mean_average_precision for fold in result.folds]
    assert told["test"]["mean_average_precision"]["mean"] == pytest.approx(np.mean(values))
    text = " ".join(in_pipe(folds_view(result)).split())
    assert f"mAP {found.mean_average_precision:.1%}" in text
    assert "mean average precision and macro F1" in text
