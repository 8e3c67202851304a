"""Images from where they are stored to uint8 tensors, each decoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ftcli.components.data.image import MAX_PIXELS, to_rgb
from ftcli.engine.ahead import in_order
from ftcli.engine.cache import keys
from ftcli.engine.cache.pixels import PixelCache, Pixels
from ftcli.engine.stopwatch import span
from ftcli.engine.unreadable import all_at_once
from ftcli.errors import DataError
from ftcli.findings import Finding
from ftcli.plans.data_splits import DataSplits, without
from ftcli.plans.preprocessing import Preprocessing
from ftcli.stopping import at_safe_points


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
    """The prepared images of a DataSplits by index.

    With a `cache` each is decoded once for all runs and mapped into memory; what is not there is kept in memory when
    all of it fits into `memory_bytes`.
    """

    def __init__(
        self,
        splits: DataSplits,
        preprocessing: Preprocessing,
        memory_bytes: int,
        cache: PixelCache | None = None,
    ) -> None:
        self.splits = splits
        self.preprocessing = preprocessing
        self.memory_bytes = memory_bytes
        self._cache = cache
        self._pixels: Pixels | None = None
        self._kept: dict[int, Tensor] = {}
        self._used = 0
        self._scanned: set[int] = set()
        self.in_memory = False

    def __getitem__(self, index: int) -> Tensor:
        """uint8 (3, H, W). Raises DataError naming the file that cannot be read."""
        found = self._found(index)
        return self._prepare(index) if found is None else found

    def __getstate__(self) -> dict[str, Any]:
        """For another process: memory that is mapped stays here."""
        return self.__dict__ | {"_pixels": None, "_cache": None}

    @at_safe_points()
    def scan(self, workers: int, on_progress: Callable[[int, int], None], *, skip: bool = False) -> None:
        """Decode everything once, before anything is trained; with a cache, or after another scan, what is not there.

        Raises DataError with every file that cannot be read. `skip`: they are left out of `splits` instead, on
        record there, and DataError is raised only when too little is left.
        """
        indices = self._indices()
        if self._cache is not None:
            self._pixels = self._cache.look_up(self.splits, indices, self.preprocessing, workers)
        missing = [
            i for i in indices if i not in self._kept and (self._pixels is None or i not in self._pixels)
        ]
        found = len(indices) - len(missing)
        for done in range(1, found + 1):
            on_progress(done, len(indices))
        errors = self._decode(missing, workers, lambda done: on_progress(found + done, len(indices)))
        if errors and not skip:
            remedy = "replace or remove these files, or leave them out: data.on_bad_image: skip"
            raise all_at_once(list(errors.values()), f"{len(indices)} images", remedy)
        if errors:
            self.splits = without(self.splits, {index: error.what for index, error in errors.items()})
        self._scanned.update(indices)
        self.in_memory = self._used <= self.memory_bytes
        if not self.in_memory:
            self._kept.clear()

    @property
    def scanned(self) -> bool:
        """Whether a scan has come by every image of the streams."""
        return self._scanned.issuperset(self._indices())

    def _indices(self) -> list[int]:
        return sorted({index for stream in self.splits.streams.values() for index in stream})

    def _decode(
        self, indices: Sequence[int], workers: int, on_progress: Callable[[int], None]
    ) -> dict[int, DataError]:
        """Into the cache; into memory where there is none, or it cannot be filled."""
        if self._pixels is None or not indices:
            return self._read(indices, workers, on_progress, self._keep)
        pixels = self._pixels
        with pixels.writer(indices) as writer:

            def take(index: int, image_CHW: Tensor) -> None:
                if not pixels.append(writer, index, image_CHW):
                    self._keep(index, image_CHW)

            errors = self._read(indices, workers, on_progress, take)
        pixels.locate()
        lost = [i for i in indices if i not in pixels and i not in self._kept and i not in errors]
        if self._used <= self.memory_bytes:
            errors |= self._read(lost, workers, lambda done: None, self._keep)
        return errors

    def _read(
        self,
        indices: Sequence[int],
        workers: int,
        on_progress: Callable[[int], None],
        take: Callable[[int, Tensor], None],
    ) -> dict[int, DataError]:
        errors: dict[int, DataError] = {}
        results = in_order(self._try, indices, workers)
        for done, (index, result) in enumerate(zip(indices, results, strict=True), 1):
            on_progress(done)
            if isinstance(result, DataError):
                errors[index] = result
            else:
                take(index, result)
        return errors

    def _keep(self, index: int, image_CHW: Tensor) -> None:
        if self._used <= self.memory_bytes:
            self._used += image_CHW.nbytes
            self._kept[index] = image_CHW

    def _found(self, index: int) -> Tensor | None:
        mapped = None if self._pixels is None else self._pixels.get(index)
        return self._kept.get(index) if mapped is None else mapped

    def content(self, index: int) -> bytes:
        """What the image is made of, 32 bytes: of its file where its pixels come from the cache, else of its pixels."""
        known = None if self._pixels is None else self._pixels.digest(index)
        return keys.of_pixels(self[index]) if known is None else known

    def divided_as(self, splits: DataSplits) -> ImageStore:
        """The same images, decoded already, for other streams of the same examples."""
        other = ImageStore(splits, self.preprocessing, self.memory_bytes, self._cache)
        other._pixels, other._kept, other._used = self._pixels, self._kept, self._used
        other._scanned = self._scanned
        other.in_memory = self.in_memory
        return other

    def listen(self, tell: Callable[[Finding], None]) -> None:
        """To what the cache notices of itself, and has noticed so far."""
        if self._cache is not None:
            self._cache.listen(tell)

    def _try(self, index: int) -> Tensor | DataError:
        try:
            with span("decode", 1):
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
