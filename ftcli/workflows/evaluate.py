"""The best model of a run, measured again on one of its own streams."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftcli.engine.batches import ImageBatches
from ftcli.engine.evaluate import per_class, predict_logits, scores_of
from ftcli.engine.images import ImageStore
from ftcli.engine.placement import find_machine, num_workers
from ftcli.engine.run_folder import RunFolder, open_run_folder
from ftcli.errors import DataError, UsageError
from ftcli.planner.choose import choose_precision
from ftcli.plans.data_splits import DataSplits, apply_split_record
from ftcli.plans.training_plan import Precision
from ftcli.recipe.load import load_recipe
from ftcli.recipe.schema import Recipe
from ftcli.workflows.prepare import open_splits
from ftcli.workflows.saved_model import SavedModel, load_saved


def evaluate(path: Path, stream: str = "test") -> dict[str, Any]:
    """Accuracy, macro F1, loss and per-class scores on train, val or test, by the split that the run kept."""
    run = open_run_folder(path)
    recipe = load_recipe(run.recipe)
    splits = apply_split_record(open_splits(recipe), _record(run))
    if stream not in splits.streams:
        raise UsageError(f"there is no split {stream!r}", remedy=f"one of {', '.join(splits.streams)}")
    model = load_saved(path, recipe.runtime.device)
    batches = _batches(recipe, splits, stream, model)
    logits, labels = predict_logits(
        model.forward, batches.evaluation(stream), model.device, _precision(recipe)
    )
    return {
        "run": str(path),
        "split": stream,
        **scores_of(logits, labels).to_dict(),
        "per_class": per_class(logits, labels, splits.classes),
    }


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


def _precision(recipe: Recipe) -> Precision:
    """As in training where this machine can, so that the numbers are the run's own."""
    machine = find_machine(recipe.runtime.device)
    precision: Precision = choose_precision(recipe, machine).value
    return "fp32" if precision == "fp16" and machine.device == "cpu" else precision


def _batches(recipe: Recipe, splits: DataSplits, stream: str, model: SavedModel) -> ImageBatches:
    """The stream alone, decoded once as in training: every file that cannot be read is told at once."""
    workers = num_workers(recipe.runtime.workers)
    asked = replace(splits, streams={stream: splits.streams[stream]})
    store = ImageStore(asked, model.card.preprocessing, int(recipe.runtime.image_memory_gb * 2**30))
    store.scan(workers, lambda done, total: None)
    return ImageBatches(store, recipe.train.batch_size, recipe.seed, workers)
