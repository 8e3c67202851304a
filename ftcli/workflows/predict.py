"""What a trained model says of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftcli.components.data.image import open_image
from ftcli.workflows.saved_model import load_saved

TOP = 3
BATCH = 32


def predict(run: Path, images: Sequence[Path]) -> list[dict[str, Any]]:
    """Per image: the label, its probability, and the `top` labels. Raises DataError for an image it cannot read."""
    model = load_saved(run)
    results: list[dict[str, Any]] = []
    for start in range(0, len(images), BATCH):
        paths = images[start : start + BATCH]
        probabilities_BC = model.probabilities([open_image(path) for path in paths])
        results += [
            _result(path, row, model.card.classes) for path, row in zip(paths, probabilities_BC, strict=True)
        ]
    return results


def _result(path: Path, probabilities_C: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    values, order = probabilities_C.topk(min(TOP, len(classes)))
    top = [
        {"label": classes[index], "probability": value}
        for value, index in zip(values.tolist(), order.tolist(), strict=True)
    ]
    return {"image": str(path), **top[0], "top": top}
