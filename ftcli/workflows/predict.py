"""What a trained model says of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor

from ftcli.components.data.image import open_image
from ftcli.engine.multilabel import THRESHOLD
from ftcli.engine.weights_file import ModelCard
from ftcli.workflows.saved_model import SavedModel, load_saved

TOP = 3
BATCH = 32


@dataclass(frozen=True)
class Guess:
    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """`image` is the file, or its place among the images given; `top` are the likeliest labels, the first first.

    `label` is the likeliest. Of a multi-label model `labels` are all those of at least 1/2, from none to every class.
    """

    image: str
    label: str
    probability: float
    top: tuple[Guess, ...]
    labels: tuple[Guess, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        told = asdict(self)
        return told if self.labels is not None else {k: v for k, v in told.items() if k != "labels"}


def predict(run: Path, images: Sequence[Path]) -> list[Prediction]:
    """What the model of a run says of image files. Raises DataError for one it cannot read."""
    return classify(load_saved(run), images)


def classify(model: SavedModel, images: Sequence[Path | str | Image]) -> list[Prediction]:
    """What an opened model says of files or PIL images, a batch at a time. Raises DataError."""
    results: list[Prediction] = []
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        probabilities_BC = model.probabilities([_opened(image) for image in batch])
        for place, (image, row) in enumerate(zip(batch, probabilities_BC, strict=True), start):
            name = f"image {place}" if isinstance(image, Image) else str(image)
            results.append(_prediction(name, row, model.card))
    return results


def _opened(image: Path | str | Image) -> Image:
    return image if isinstance(image, Image) else open_image(Path(image))


def _prediction(name: str, probabilities_C: Tensor, card: ModelCard) -> Prediction:
    values, order = probabilities_C.sort(descending=True, stable=True)
    ranked = [Guess(card.classes[i], value) for value, i in zip(values.tolist(), order.tolist(), strict=True)]
    labels = tuple(guess for guess in ranked if guess.probability >= THRESHOLD) if card.multi_label else None
    return Prediction(name, ranked[0].label, ranked[0].probability, tuple(ranked[:TOP]), labels)
