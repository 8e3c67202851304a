"""Images from where they are stored to uint8 tensors, each decoded once where memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ftcli.components.data.image import MAX_PIXELS, to_rgb
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits, without
from ftcli.plans.preprocessing import Preprocessing
from ftcli.stopping import at_safe_points, safe_point

SHOWN_ERRORS = 10


def prepare(image: Image, preprocessing: Preprocessing) -> Tensor:
    """An image as RGB uint8 (3, H, W), resized as `preprocessing.fit` says.

    Training and evaluation have this in common: training crops are cut from the result, its borders included
    where an image is padded, since the network will be shown them.
    Resized by PIL as the pretrained weights' own transforms do. Raises DataError for a line that the resizing
    would make enormous.
    """
    _refuse_line(image, preprocessing)
    rgb = to_rgb(image)
    mode = InterpolationMode(preprocessing.interpolation)
    resized = F.resize(
        rgb, _resized(rgb, preprocessing), interpolation=mode, antialias=preprocessing.antialias
    )
    prepared: Tensor = F.pil_to_tensor(resized)
    return _padded(prepared, preprocessing) if preprocessing.fit == "pad" else prepared


def _resized(image: Image, preprocessing: Preprocessing) -> list[int]:
    """What to resize to, as torchvision takes it: the shorter side alone, or height and width."""
    size = preprocessing.resize_size
    if preprocessing.fit == "crop":
        return [size]
    if preprocessing.fit == "squash":
        return [size, size]
    ratio = max(image.height / size, image.width / size)
    return [max(round(image.height / ratio), 1), max(round(image.width / ratio), 1)]


def _refuse_line(image: Image, preprocessing: Preprocessing) -> None:
    """An image of 1 x 60,000 pixels is small, but not with its shorter side at 224."""
    if preprocessing.fit != "crop":
        return
    shorter, longer = sorted(image.size)
    pixels = preprocessing.resize_size**2 * longer / shorter
    if pixels > MAX_PIXELS:
        what = f"cannot use the image: {image.width} x {image.height} pixels would become {pixels:,.0f}"
        raise DataError(what, remedy="cut it to a shape nearer to a square, or remove it from the data")


def _padded(image_CHW: Tensor, preprocessing: Preprocessing) -> Tensor:
    """With borders of the mean colour where a side is shorter than the square that is cut."""
    height, width = (max(preprocessing.image_size - side, 0) for side in image_CHW.shape[-2:])
    mean = preprocessing.mean[::-1] if preprocessing.bgr else preprocessing.mean
    borders = [width // 2, height // 2, (width + 1) // 2, (height + 1) // 2]
    padded: Tensor = F.pad(image_CHW, borders, fill=[round(255 * value) for value in mean])
    return padded


class ImageStore:
    """The prepared images of a DataSplits by index. Kept in memory when all of them fit into `memory_bytes`."""

    def __init__(self, splits: DataSplits, preprocessing: Preprocessing, memory_bytes: int) -> None:
        self.splits = splits
        self.preprocessing = preprocessing
        self.memory_bytes = memory_bytes
        self._kept: dict[int, Tensor] = {}
        self.in_memory = False

    def __getitem__(self, index: int) -> Tensor:
        """uint8 (3, H, W). Raises DataError naming the file that cannot be read."""
        kept = self._kept.get(index)
        return self._prepare(index) if kept is None else kept

    @at_safe_points()
    def scan(self, workers: int, on_progress: Callable[[int, int], None], *, skip: bool = False) -> None:
        """Decode everything once, before anything is trained.

        Raises DataError with every file that cannot be read. `skip`: they are left out of `splits` instead, on
        record there, and DataError is raised only when too little is left.
        """
        indices = sorted({index for stream in self.splits.streams.values() for index in stream})
        errors: dict[int, DataError] = {}
        used = 0
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            try:
                for done, (index, result) in enumerate(
                    zip(indices, pool.map(self._try, indices), strict=True), 1
                ):
                    safe_point()
                    on_progress(done, len(indices))
                    if isinstance(result, DataError):
                        errors[index] = result
                    elif used <= self.memory_bytes:
                        used += result.nbytes
                        self._kept[index] = result
            except BaseException:  # Ctrl-C: the pool would decode the rest before it ends
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if errors and not skip:
            raise _all_at_once(list(errors.values()), len(indices))
        if errors:
            self.splits = without(self.splits, {index: error.what for index, error in errors.items()})
        self.in_memory = used <= self.memory_bytes
        if not self.in_memory:
            self._kept.clear()

    def divided_as(self, splits: DataSplits) -> ImageStore:
        """The same images, decoded already, for other streams of the same examples."""
        other = copy(self)
        other.splits = splits
        return other

    def _try(self, index: int) -> Tensor | DataError:
        try:
            return self._prepare(index)
        except DataError as error:
            return error

    def _prepare(self, index: int) -> Tensor:
        image = self.splits.load(index)
        try:
            return prepare(image, self.preprocessing)
        except DataError as error:
            raise DataError(error.what, where=self._place_of(index), remedy=error.remedy) from error
        except Exception as error:  # what decodes may still be of a mode that cannot be converted
            what = f"cannot use the image: {error or type(error).__name__}"
            raise DataError(what, where=self._place_of(index), remedy="remove it from the data") from error

    def _place_of(self, index: int) -> str:
        files = self.splits.files
        return self.splits.examples[index].key if files is None else str(files[index])


def center_crop(image_CHW: Tensor, size: int) -> Tensor:
    """The centred square that evaluation looks at, (3, size, size)."""
    return F.center_crop(image_CHW, [size, size])


def normalise(images_BCHW: Tensor, preprocessing: Preprocessing) -> Tensor:
    """uint8 RGB -> float32 on the images' device, in the network's order of channels: to 0..1, less the mean,
    over the standard deviation.
    """
    if preprocessing.bgr:
        images_BCHW = images_BCHW.flip(1)
    mean = torch.tensor(preprocessing.mean, device=images_BCHW.device).view(-1, 1, 1)
    std = torch.tensor(preprocessing.std, device=images_BCHW.device).view(-1, 1, 1)
    return images_BCHW.to(torch.float32).div_(255).sub_(mean).div_(std)


def _all_at_once(errors: Sequence[DataError], total: int) -> DataError:
    if len(errors) == 1:
        return errors[0]
    told = [f"{error.where}: {error.what}" for error in errors[:SHOWN_ERRORS]]
    if len(errors) > SHOWN_ERRORS:
        told.append(f"and {len(errors) - SHOWN_ERRORS} more")
    what = f"{len(errors)} of {total} images cannot be read: {'; '.join(told)}"
    return DataError(what, remedy="replace or remove these files, or leave them out: data.on_bad_image: skip")
