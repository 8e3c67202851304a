"""What a trained model says of images or texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor

from ftcli.components.data._texts import read_text
from ftcli.components.data.image import open_image
from ftcli.engine.multilabel import THRESHOLD
from ftcli.engine.weights_file import ModelCard
from ftcli.errors import DataError, UsageError
from ftcli.workflows.saved_model import SavedModel, load_saved

TOP = 3
BATCH = 32


@dataclass(frozen=True)
class Guess:
    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """`image` is the file, or its place among the images or texts given; `top` the likeliest labels, the first first.

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


def predict(run: Path, files: Sequence[Path]) -> list[Prediction]:
    """What the model of a run says of image files, or of text files. Raises DataError for one it cannot read."""
    return classify(load_saved(run), files)


def classify(model: SavedModel, examples: Sequence[Path | str | Image]) -> list[Prediction]:
    """What an opened model says of files or PIL images, a batch at a time. Raises DataError.

    Of a model that takes texts a Path is a file, and a str the text itself.
    """
    if model.network.language_model:
        remedy = "ftcli generate RUN PROMPT"
        raise UsageError("a language model has no classes: it goes on with a text", remedy=remedy)
    opened = _read if model.takes_texts else _opened
    results: list[Prediction] = []
    for start in range(0, len(examples), BATCH):
        batch = examples[start : start + BATCH]
        probabilities_BC = model.probabilities([opened(example) for example in batch])
        for place, (example, row) in enumerate(zip(batch, probabilities_BC, strict=True), start):
            results.append(_prediction(_name(example, place, model), row, model.card))
    return results


def _name(example: Path | str | Image, place: int, model: SavedModel) -> str:
    if isinstance(example, Image):
        return f"image {place}"
    return f"text {place}" if model.takes_texts and isinstance(example, str) else str(example)


def _read(example: Path | str | Image) -> str:
    if isinstance(example, Image):
        raise DataError("the model takes texts, not images", remedy="give a text, or the Path of a text file")
    return read_text(example) if isinstance(example, Path) else example


def _opened(image: Path | str | Image) -> Image:
    return image if isinstance(image, Image) else open_image(Path(image))


def _prediction(name: str, probabilities_C: Tensor, card: ModelCard) -> Prediction:
    values, order = probabilities_C.sort(descending=True, stable=True)
    ranked = [Guess(card.classes[i], value) for value, i in zip(values.tolist(), order.tolist(), strict=True)]
    labels = tuple(guess for guess in ranked if guess.probability >= THRESHOLD) if card.multi_label else None
    return Prediction(name, ranked[0].label, ranked[0].probability, tuple(ranked[:TOP]), labels)
