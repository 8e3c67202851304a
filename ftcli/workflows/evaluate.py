"""The best model of a run, measured again on one of its own streams."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ftcli.engine.batches import ImageBatches
from ftcli.engine.calibrate import fit_temperature
from ftcli.engine.determinism import plain_fp32
from ftcli.engine.evaluate import predict_logits, scores_of
from ftcli.engine.images import ImageStore
from ftcli.engine.metrics import calibration_error, report_of
from ftcli.engine.packed_batches import PackedBatches
from ftcli.engine.placement import find_machine, num_workers
from ftcli.engine.run_folder import RunFolder, open_run_folder
from ftcli.engine.text_batches import TextBatches
from ftcli.engine.texts import TextStore
from ftcli.engine.work import Batches
from ftcli.errors import DataError, UsageError
from ftcli.events import Scores
from ftcli.planner.choose import choose_precision
from ftcli.plans.data_splits import TEST, VAL, DataSplits, apply_split_record
from ftcli.plans.tokenization import Tokenization
from ftcli.plans.training_plan import Precision
from ftcli.recipe.load import load_recipe
from ftcli.recipe.schema import Recipe
from ftcli.workflows.cache import pixel_cache
from ftcli.workflows.corpus import packed_as
from ftcli.workflows.prepare import open_splits
from ftcli.workflows.saved_model import SavedModel, load_saved

FEWEST_TO_CALIBRATE = 200
"""Validation examples, below which the temperature depends on which of them there happen to be."""


def evaluate(path: Path, stream: str = "test", *, calibrate: bool = False) -> dict[str, Any]:
    """The full report on train, val or test, by the split that the run kept.

    Where training found leaks among the test examples, the run's score without them stands beside: `without_leaks`.
    `calibrate`: what temperature scaling, fitted on val, would do to the calibration; the model stays as it is.
    """
    run = open_run_folder(path)
    recipe = load_recipe(run.recipe)
    splits = splits_of(run, recipe)
    if stream not in splits.streams:
        raise UsageError(f"there is no split {stream!r}", remedy=f"one of {', '.join(splits.streams)}")
    if calibrate and stream == VAL:
        remedy = "calibrate with --split test"
        raise UsageError("a temperature fitted on val cannot be judged on val", remedy=remedy)
    if calibrate and recipe.learns_tokens:
        remedy = "leave out --calibrate"
        raise UsageError("a language model's test report has no calibration to mend", remedy=remedy)
    model = load_saved(path, recipe.runtime.device)
    streams = (stream, VAL) if calibrate else (stream,)
    batches = batches_of(recipe, splits, streams, model)
    precision = _precision(run, recipe)
    with plain_fp32(model.device):
        predicted = {
            name: predict_logits(model.forward, batches.evaluation(name), model.device, precision)
            for name in streams
        }
    logits, labels = predicted[stream]
    result = {
        "run": str(path),
        "split": stream,
        **report_of(logits, labels, splits.classes, recipe.seed),
        **scores_of(logits, labels).to_dict(),
    }
    without = _without_leaks(run) if stream == TEST else None
    if without is not None:
        result["without_leaks"] = without
    if calibrate:
        result["calibration"] = _calibration(predicted[VAL], predicted[stream])
    return result


def splits_of(run: RunFolder, recipe: Recipe) -> DataSplits:
    """As the run divided its data, which have to be there. Raises DataError."""
    return apply_split_record(open_splits(_without_split_file(recipe)), _record(run))


def _without_leaks(run: RunFolder) -> dict[str, Any] | None:
    """As the run measured it, for the same weights; None without leaks, and for a run that is not complete."""
    try:
        summary = json.loads(run.summary.read_text(encoding="utf-8"))
        kept = summary.get("test_without_leaks")
        return None if kept is None else Scores(**kept).to_dict()
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _calibration(fitted_on: tuple[Tensor, Tensor], judged_on: tuple[Tensor, Tensor]) -> dict[str, Any]:
    temperature = fit_temperature(*fitted_on)
    logits, labels = judged_on
    cooled = logits / temperature
    return {
        "temperature": temperature,
        "fitted_on": VAL,
        "num_fitted_on": len(fitted_on[1]),
        "caution": _caution(len(fitted_on[1])),
        "ece_before": calibration_error(logits, labels),
        "ece_after": calibration_error(cooled, labels),
        "loss_before": scores_of(logits, labels).loss,
        "loss_after": scores_of(cooled, labels).loss,
    }


def _caution(num_val: int) -> str | None:
    """A temperature from few examples is itself a guess."""
    if num_val >= FEWEST_TO_CALIBRATE:
        return None
    return (
        f"fitted on {num_val} validation examples, fewer than {FEWEST_TO_CALIBRATE}: others would give another "
        "temperature, and an ECE of so few is unsure"
    )


def _without_split_file(recipe: Recipe) -> Recipe:
    """The run keeps its own record of the split; what it began with, a file or more images, may be gone."""
    split = recipe.data.split.model_copy(update={"file": None, "train_size": None})
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"split": split})})


def _record(run: RunFolder) -> dict[str, Any]:
    try:
        record = json.loads(run.split.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _no_record(run, reason) from error
    if not isinstance(record, dict):
        raise _no_record(run, "it holds no split")
    return record


def _no_record(run: RunFolder, reason: str) -> DataError:
    what = f"cannot read which examples the run tested on: {reason}"
    return DataError(what, where=str(run.split), remedy="restore split.json")


def _precision(run: RunFolder, recipe: Recipe) -> Precision:
    """As in training where this machine can, so that the numbers are the run's own."""
    machine = find_machine(recipe.runtime.device)
    precision: Precision = choose_precision(recipe, machine, run.recorded_precision()).value
    return "fp32" if precision == "fp16" and machine.device == "cpu" else precision


def batches_of(recipe: Recipe, splits: DataSplits, streams: tuple[str, ...], model: SavedModel) -> Batches:
    """These streams alone, decoded once as in training: every file that cannot be read is told at once."""
    workers, inputs = num_workers(recipe.runtime.workers), model.preprocessing
    asked = replace(splits, streams={name: splits.streams[name] for name in streams})
    memory = int(recipe.runtime.image_memory_gb * 2**30)
    if isinstance(inputs, Tokenization) and inputs.packed:
        card = model.card
        sequences = packed_as(asked, inputs, card.tokenizer, card.config, card.backbone)
        sequences.scan(lambda done, total: None)
        return PackedBatches(sequences, recipe.train.batch_size, recipe.seed)
    if isinstance(inputs, Tokenization):
        texts = TextStore(asked, inputs, memory, model.tokenizer)
        texts.scan(lambda done, total: None)
        return TextBatches(texts, recipe.train.batch_size, recipe.seed)
    store = ImageStore(asked, inputs, memory, pixel_cache(recipe))
    store.scan(workers, lambda done, total: None)
    return ImageBatches(store, recipe.train.batch_size, recipe.seed, workers)
