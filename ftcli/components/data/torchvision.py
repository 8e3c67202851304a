"""torchvision's datasets of labelled images, with the splits their authors made."""

from __future__ import annotations

from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ftcli.errors import DataError
from ftcli.offline import OFFLINE, is_offline
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example

from ._common import DataOptions, SourcePath, complete
from ._files import opener
from .image import FORMATS, SUFFIXES

if TYPE_CHECKING:
    from PIL.Image import Image

Requests = dict[str, dict[str, Any]]
"""Stream -> the arguments that ask torchvision for it."""

_FLAG: Requests = {TRAIN: {"train": True}, TEST: {"train": False}}
_NAMED: Requests = {TRAIN: {"split": "train"}, TEST: {"split": "test"}}
_NAMED_VAL: Requests = {
    TRAIN: {"split": "train"},
    VAL: {"split": "val"},
    TEST: {"split": "test"},
}

_WITH_PPM = (*FORMATS, "PPM")
"""GTSRB's signs are PPM files."""

OFFICIAL: dict[str, Requests] = {
    "CIFAR10": _FLAG,
    "CIFAR100": _FLAG,
    "DTD": _NAMED_VAL,
    "EuroSAT": {TRAIN: {}},
    "FGVCAircraft": _NAMED_VAL,
    "FashionMNIST": _FLAG,
    "Flowers102": _NAMED_VAL,
    "Food101": _NAMED,
    "GTSRB": _NAMED,
    "KMNIST": _FLAG,
    "MNIST": _FLAG,
    "OxfordIIITPet": {TRAIN: {"split": "trainval"}, TEST: {"split": "test"}},
    "STL10": _NAMED,
    "SVHN": _NAMED,
    "StanfordCars": _NAMED,
}
"""The splits that a dataset's authors made."""


def _known(name: str) -> str:
    if name in OFFICIAL:
        return name
    lower = {known.lower(): known for known in OFFICIAL}
    near = [lower[match] for match in get_close_matches(name.lower(), lower, n=3)]
    raise ValueError(
        f"unknown dataset {name!r}; {'nearest' if near else 'known'}: {', '.join(near or OFFICIAL)}"
    )


class Torchvision(DataOptions):
    """A dataset by its torchvision name, in its official splits; a val or test it lacks comes from train."""

    kind: Literal["torchvision"]
    name: Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(OFFICIAL)})]
    """FashionMNIST, CIFAR10, OxfordIIITPet, ...; spelled as in torchvision."""
    path: SourcePath
    """The folder given to torchvision as root, relative to the current directory."""
    download: bool = False
    """Fetch it into the folder if it is not there."""


def open_splits(options: Torchvision, seed: int) -> DataSplits:
    datasets = {stream: _open(options, arguments) for stream, arguments in OFFICIAL[options.name].items()}
    labels = {stream: _labels(dataset) for stream, dataset in datasets.items()}
    places = [(stream, i) for stream, numbers in labels.items() for i in range(len(numbers))]
    files = [file for dataset in datasets.values() for file in _files(dataset)]
    splits = DataSplits(
        source=f"torchvision {options.name}",
        classes=_classes(datasets[TRAIN], labels[TRAIN]),
        examples=tuple(Example(f"{options.name}/{s}/{i:06d}", labels[s][i]) for s, i in places),
        streams={s: tuple(n for n, place in enumerate(places) if place[0] == s) for s in datasets},
        load=opener(files, options.max_pixels, _WITH_PPM)
        if files
        else partial(_load, datasets, tuple(places)),
        files=tuple(files) if files and all(file.suffix.lower() in SUFFIXES for file in files) else None,
    )
    return complete(splits, options.split, seed, options.kind)


def _open(options: Torchvision, arguments: dict[str, Any]) -> Any:
    from torchvision import datasets

    dataset = getattr(datasets, options.name)
    download = options.download and not is_offline()
    try:
        return dataset(Path(options.path), download=download, **arguments)
    except Exception as error:  # RuntimeError when missing; OSError, AssertionError, ... when damaged
        what = f"torchvision cannot open {options.name}: {str(error) or type(error).__name__}"
        here = "set data.path to the folder that holds it, or data.download to true"
        remedy = OFFLINE if options.download else here
        raise DataError(what, where=options.path, remedy=None if download else remedy) from error


def _labels(dataset: Any) -> list[int]:
    """Class numbers without opening an image; torchvision has four names for them."""
    import numpy as np

    for name in ("targets", "labels", "_labels"):
        if hasattr(dataset, name):
            labels: list[int] = np.asarray(getattr(dataset, name)).tolist()
            return labels
    return [int(label) for _, label in dataset._samples]


def _classes(dataset: Any, labels: list[int]) -> tuple[str, ...]:
    names = getattr(dataset, "classes", None)
    return tuple(names) if names else tuple(str(number) for number in range(max(labels) + 1))


def _files(dataset: Any) -> list[Path]:
    """The image files, for which torchvision has four names too; none where all images lie in one file."""
    for name in ("_image_files", "_images", "_samples", "samples"):
        if hasattr(dataset, name):
            return [Path(each[0] if isinstance(each, tuple) else each) for each in getattr(dataset, name)]
    return []


def _load(datasets: dict[str, Any], places: tuple[tuple[str, int], ...], index: int) -> Image:
    stream, i = places[index]
    image: Image = datasets[stream][i][0]
    return image
