"""Images from where they are stored to uint8 tensors, each decoded once where memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ftcli.components.data.image import to_rgb
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from ftcli.plans.preprocessing import Preprocessing

SHOWN_ERRORS = 10


def prepare(image: Image, preprocessing: Preprocessing) -> Tensor:
    """An image as RGB uint8 (3, H, W), resized as `preprocessing.fit` says.

    Training and evaluation have this in common: training crops are cut from the result, its borders included
    where an image is padded, since the network will be shown them.
    Resized by PIL as the pretrained weights' own transforms do.
    """
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
    return [round(image.height / ratio), round(image.width / ratio)]


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
        self._memory_bytes = memory_bytes
        self._kept: dict[int, Tensor] = {}
        self.in_memory = False

    def __getitem__(self, index: int) -> Tensor:
        """uint8 (3, H, W). Raises DataError naming the file that cannot be read."""
        kept = self._kept.get(index)
        return self._prepare(index) if kept is None else kept

    def scan(self, workers: int, on_progress: Callable[[int, int], None]) -> None:
        """Decode everything once, before anything is trained. Raises DataError with every file that cannot be read."""
        indices = sorted({index for stream in self.splits.streams.values() for index in stream})
        errors: list[DataError] = []
        used = 0
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            try:
                for done, (index, result) in enumerate(
                    zip(indices, pool.map(self._try, indices), strict=True), 1
                ):
                    on_progress(done, len(indices))
                    if isinstance(result, DataError):
                        errors.append(result)
                    elif used <= self._memory_bytes:
                        used += result.nbytes
                        self._kept[index] = result
            except BaseException:  # Ctrl-C: the pool would decode the rest before it ends
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if errors:
            raise _all_at_once(errors, len(indices))
        self.in_memory = used <= self._memory_bytes
        if not self.in_memory:
            self._kept.clear()

    def _try(self, index: int) -> Tensor | DataError:
        try:
            return self._prepare(index)
        except DataError as error:
            return error

    def _prepare(self, index: int) -> Tensor:
        return prepare(self.splits.load(index), self.preprocessing)


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
    return DataError(what, remedy="replace these files, or remove them from the data")
