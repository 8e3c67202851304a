"""What a forward pass in train mode moves by itself, BatchNorm's running statistics; kept for a step that may fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ftcli.plans.phase import Phase


class RunningStats:
    """A copy of some tensors, beside them; one call for all that are of one dtype."""

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        by_dtype: defaultdict[torch.dtype, list[Tensor]] = defaultdict(list)
        for tensor in tensors:
            by_dtype[tensor.dtype].append(tensor)
        self._pairs = [(list(map(torch.clone, tensors)), tensors) for tensors in by_dtype.values()]

    def __bool__(self) -> bool:
        return bool(self._pairs)

    def keep(self) -> None:
        for copies, tensors in self._pairs:
            torch._foreach_copy_(copies, tensors)

    def put_back(self) -> None:
        for copies, tensors in self._pairs:
            torch._foreach_copy_(tensors, copies)


def running_stats_of(model: nn.Module, phase: Phase) -> RunningStats:
    """Those of the BatchNorms that the phase has in train mode."""
    moving = [norm.name for norm in phase.batch_norms if norm.updates_stats]
    return RunningStats(buffer for name in moving for buffer in model.get_submodule(name).buffers())
