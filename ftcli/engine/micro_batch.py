"""How many examples go through the network at once: as many as the memory takes, found out by running into its end."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from ftcli.engine.batches import Batch
from ftcli.errors import OutOfMemory
from ftcli.events import Event, Listener, Noticed
from ftcli.findings import Finding

T = TypeVar("T")
WHERE = "train.batch_size"
OF_LIBRARIES = ("DefaultCPUAllocator", "_STATUS_ALLOC_FAILED", "CUDA error: out of memory")
"""In the words of a RuntimeError: torch's on the CPU, those of cuBLAS and cuDNN, and those of CUDA, whose own calls
find no room where another process holds the GPU."""


def _silent(event: Event) -> None:
    """Nobody listens."""


@dataclass
class MicroBatch:
    """`size` None: batches as they come. It is halved when memory runs out, and stays so for the rest of the run."""

    tell: Listener = _silent
    size: int | None = None
    noun: str = "image"
    """What an example is."""

    def parts(self, batch: Batch, least: int = 1) -> list[Batch]:
        """A batch in parts of equal size, or nearly so, in its order; none has fewer than `least` examples."""
        pieces = self._pieces(len(batch.labels), least)
        if pieces == 1:
            return [batch]
        inputs, labels = batch.inputs.tensor_split(pieces), batch.labels.tensor_split(pieces)
        ends = [sum(map(len, labels[: n + 1])) for n in range(pieces)]
        spans = zip([0, *ends[:-1]], ends, strict=True)
        return [
            replace(batch, inputs=x, labels=y, indices=batch.indices[start:end])
            for x, y, (start, end) in zip(inputs, labels, spans, strict=True)
        ]

    def through(self, forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """What `forward` makes of the inputs (B, ...), where no gradient and no statistics are asked for."""

        def whole() -> Tensor:
            pieces = self._pieces(len(inputs), 1)
            made = [forward(part) for part in inputs.tensor_split(pieces)]
            return made[0] if pieces == 1 else torch.cat(made)

        return self.until_it_fits(whole, len(inputs))

    def until_it_fits(
        self,
        work: Callable[[], T],
        count: int,
        least: int = 1,
        undo: Callable[[], None] = lambda: None,
    ) -> T:
        """`work` on `count` examples, with halved parts as often as memory runs out; `undo` before each new attempt.

        Raises OutOfMemory where the parts cannot be halved any more.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Only here is what the attempt had made let go of: the error holds its frames.
            self._halve(count, least)
            undo()

    def _halve(self, count: int, least: int) -> None:
        tried = self._largest(count, least)
        self.size = -(-tried // 2)
        release()
        if self._largest(count, least) >= tried:
            raise _nothing_fits(tried, least, self.noun)
        self.tell(Noticed(_halved(tried, self._largest(count, least), least, self.noun)))

    def _pieces(self, count: int, least: int) -> int:
        if self.size is None:
            return 1
        return max(1, min(-(-count // self.size), count // least))

    def _largest(self, count: int, least: int) -> int:
        return -(-count // self._pieces(count, least))


def is_out_of_memory(error: BaseException) -> bool:
    """The GPU's memory or the machine's; of the latter torch tells with a plain RuntimeError."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OF_LIBRARIES)


def release() -> None:
    """Give back what nothing refers to, to the system too."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> OutOfMemory:
    """For memory that ran out where no batch can be halved."""
    remedy = (
        "lower train.batch_size (and raise train.accumulation as much), data.image_size or runtime.workers"
    )
    return OutOfMemory(f"out of memory{_of_gpu()}: {first_line(error)}", where=WHERE, remedy=remedy)


def _nothing_fits(tried: int, least: int, noun: str) -> OutOfMemory:
    images = f"a single {noun}" if tried == 1 else f"{tried} {noun}s at a time"
    smaller = (
        "take smaller images (data.image_size)" if noun == "image" else "cut texts earlier (data.max_length)"
    )
    remedy = f"{smaller}, a smaller model.backbone, or fewer stages (strategy: partial)"
    if least > 1:
        remedy += "; with norm: freeze_stats a single image at a time would do"
    return OutOfMemory(f"out of memory{_of_gpu()} with {images}", where=WHERE, remedy=remedy)


def _halved(tried: int, size: int, least: int, noun: str) -> Finding:
    message = (
        f"out of memory{_of_gpu()} with {tried} {noun}s at a time: from here on {size} at a time; the effective batch, "
        "its order and its mean are as before"
    )
    if least > 1:
        message += f", but BatchNorm in train mode sees {size} images where it saw {tried}"
    remedy = f"nothing to do; to spare the attempt set train.batch_size: {size}, and raise train.accumulation as much"
    return Finding("warning", WHERE, message, remedy, "batch-halved")


def _of_gpu() -> str:
    """Nothing of a GPU that is too full to be asked: its context takes memory too."""
    if not torch.cuda.is_initialized():
        return ""
    try:
        free, total = torch.cuda.mem_get_info()
    except RuntimeError:
        return ""
    return f" (GPU of {total / 2**30:.1f} GiB, {free / 2**30:.1f} free)"


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
