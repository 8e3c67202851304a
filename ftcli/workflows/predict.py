"""What a trained model says of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor

from ftcli.components.data.image import open_image
from ftcli.workflows.saved_model import SavedModel, load_saved

TOP = 3
BATCH = 32


@dataclass(frozen=True)
class Guess:
    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """`image` is the file, or its place among the images given; `top` are the likeliest labels, the first first."""

    image: str
    label: str
    probability: float
    top: tuple[Guess, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "top": [asdict(guess) for guess in self.top]}


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
            results.append(_prediction(name, row, model.card.classes))
    return results


def _opened(image: Path | str | Image) -> Image:
    return image if isinstance(image, Image) else open_image(Path(image))


def _prediction(name: str, probabilities_C: Tensor, classes: tuple[str, ...]) -> Prediction:
    values, order = probabilities_C.topk(min(TOP, len(classes)))
    top = tuple(Guess(classes[i], value) for value, i in zip(values.tolist(), order.tolist(), strict=True))
    return Prediction(name, top[0].label, top[0].probability, top)
