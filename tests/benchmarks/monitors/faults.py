"""What goes wrong in other people's training loops, put into ours for the time of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ftcli.engine.batches import Batch, ImageBatches
from ftcli.engine.work import Work

Fault = Callable[[pytest.MonkeyPatch], None]


def none(patch: pytest.MonkeyPatch) -> None:
    """Nothing goes wrong."""


def moves(name: str) -> Fault:
    """Each forward pass writes to a tensor that is frozen."""

    def fault(patch: pytest.MonkeyPatch) -> None:
        honest = Work.forward

        def drifting(self: Work, images: Tensor) -> Tensor:
            with torch.no_grad():
                self.network.model.state_dict()[name].add_(1e-7)
            return honest(self, images)

        patch.setattr(Work, "forward", drifting)

    return fault


def flickers(least: float) -> Fault:
    """Preprocessing that is unstable: every second evaluation sees validation images at `least` of their contrast."""

    def fault(patch: pytest.MonkeyPatch) -> None:
        honest, turns = ImageBatches.evaluation, {"val": 0}

        def flickering(self: ImageBatches, stream: str) -> Iterator[Batch]:
            if stream == "val":
                turns["val"] += 1
            dark = stream == "val" and turns["val"] % 2 == 0
            for batch in honest(self, stream):
                images = (batch.inputs * least).to(torch.uint8) if dark else batch.inputs
                yield Batch(images, batch.labels, batch.indices)

        patch.setattr(ImageBatches, "evaluation", flickering)

    return fault


def statistics_of_the_last_batch(patch: pytest.MonkeyPatch) -> None:
    """BatchNorm forgets all but the last batch."""
    from ftcli.engine import freeze

    honest = freeze.enter_train_mode

    def forgetful(network, phase):  # type: ignore[no-untyped-def]
        for module in network.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        honest(network, phase)

    patch.setattr("ftcli.engine.epoch.enter_train_mode", forgetful)


def with_dead_stem(weights: Path) -> Path:
    """Weights whose first BatchNorm gives out its bias alone: nothing of an image gets through."""
    target = weights.with_name("dead.safetensors")
    if not target.exists():
        tensors = load_file(weights)
        save_file({**tensors, "bn1.weight": torch.zeros_like(tensors["bn1.weight"])}, target)
    return target


@contextmanager
def at_work(fault: Fault) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        yield
