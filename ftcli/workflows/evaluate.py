"""The best model of a run, measured again on one of its own streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ftcli.engine.batches import ImageBatches
from ftcli.engine.evaluate import per_class, predict_logits, scores_of
from ftcli.engine.images import ImageStore
from ftcli.engine.placement import num_workers
from ftcli.engine.run_folder import open_run_folder
from ftcli.errors import UsageError
from ftcli.plan.data_splits import apply_split_record
from ftcli.recipe.load import load_recipe
from ftcli.workflows.prepare import open_splits
from ftcli.workflows.saved_model import load_saved


def evaluate(path: Path, stream: str = "test") -> dict[str, Any]:
    """Accuracy, macro F1, loss and per-class scores on train, val or test, by the split that the run kept."""
    run = open_run_folder(path)
    recipe = load_recipe(run.recipe)
    record = json.loads(run.split.read_text(encoding="utf-8"))
    splits = apply_split_record(open_splits(recipe), record)
    if stream not in splits.streams:
        raise UsageError(f"there is no split {stream!r}", remedy=f"one of {', '.join(splits.streams)}")
    model = load_saved(path)
    store = ImageStore(splits, model.card.preprocessing, 0)
    batches = ImageBatches(store, recipe.train.batch_size, recipe.seed, num_workers(recipe.runtime.workers))
    logits, labels = predict_logits(model.forward, batches.evaluation(stream), model.device, "fp32")
    return {
        "run": str(path),
        "split": stream,
        **scores_of(logits, labels).to_dict(),
        "per_class": per_class(logits, labels, splits.classes),
    }
