"""A head's forward and backward over kept features, recorded once as CUDA graphs and replayed.

Such a step is a dozen small kernels, which take less time than it takes Python to launch them. A replay runs
the same kernels on the same values; what dropout draws is the same too, for a graph reads the generator's
seed and offset each time. That the bits are those of the head itself is proved on a batch before it is used.

Source: "CUDA Graphs" in the documentation of PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ftcli.engine.micro_batch import first_line
from ftcli.engine.precision import autocast
from ftcli.events import Listener, Noticed
from ftcli.findings import Finding
from ftcli.plans.training_plan import Precision

Forward = Callable[[Tensor], Tensor]

MOST_PARAMETERS = 2**24
"""Of a head: the kernels of a larger one take longer than their launches, and graphs hold memory for it."""


def graphed(
    forward: Forward, head: nn.Module | None, device: str, precision: Precision, tell: Listener
) -> Forward:
    """`forward` for training steps; replayed where `head` is all that it computes, and that can be done."""
    if head is None or not is_recordable(head, device):
        return forward
    return GraphedHead(forward, head, device, precision, tell)


def is_recordable(head: nn.Module, device: str) -> bool:
    """Whether a replay would do all that a call does.

    Not with buffers, as BatchNorm's statistics: recording runs the head and would move them. Not with hooks:
    they are Python, which is not recorded.
    """
    hooked = any(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        for module in head.modules()
    )
    has_buffers = any(True for _ in head.buffers())
    size = sum(parameter.numel() for parameter in head.parameters())
    return device == "cuda" and not hooked and not has_buffers and 0 < size <= MOST_PARAMETERS


class GraphedHead:
    """Features (B, ...) -> logits (B, C), in memory that the next call writes over.

    Recorded is the first shape that comes twice in a row: the first batch of all may be the last one of an
    epoch that is gone on with. Batches of other shapes go through `plain`, and all of them where recording
    fails.
    """

    def __init__(
        self, plain: Forward, head: nn.Module, device: str, precision: Precision, tell: Listener
    ) -> None:
        self.plain, self.head, self.device, self.precision, self.tell = plain, head, device, precision, tell
        self._parameters = list(head.parameters())
        self._replay: Forward | None = None
        self._shape: torch.Size | None = None
        """The one that is recorded; until then that of the last batch."""
        self._tried = False

    def __call__(self, features: Tensor) -> Tensor:
        if not self._tried and features.shape == self._shape:
            self._tried, self._replay = True, self._recorded(features)
        if self._replay is not None and features.shape == self._shape:
            self._keep_gradients()
            return self._replay(features)
        if not self._tried:
            self._shape = features.shape
        return self.plain(features)

    def _recorded(self, features: Tensor) -> Forward | None:
        """None, and a finding, where that fails. Parameters, gradients and generators stay as they are."""
        try:
            with autocast(self.precision, self.device, keep_weights=False):
                with self._drawing_apart():
                    replay = recorded(self.head, features)
                if self._is_same(replay, features.flip(0)):
                    return replay
            why = "a replay does not give the bits of the head itself"
        except RuntimeError as error:
            why = first_line(error)
            self._set_generator_free()
        self.tell(Noticed(_not_graphed(why)))
        return None

    def _is_same(self, replay: Forward, features: Tensor) -> bool:
        pairs = zip(self._made(self.plain, features), self._made(replay, features), strict=True)
        return all(torch.equal(one, other) for one, other in pairs)

    def _made(self, forward: Forward, features: Tensor) -> list[Tensor]:
        """Logits, and the gradients of what trains."""
        trained = [parameter for parameter in self._parameters if parameter.requires_grad]
        with self._drawing_apart():
            logits_BC = forward(features)
            return [logits_BC, *torch.autograd.grad(logits_BC, trained, logits_BC.detach())]

    def _drawing_apart(self) -> AbstractContextManager[None]:
        return torch.random.fork_rng([torch.cuda.current_device()] if self.device == "cuda" else [])

    def _set_generator_free(self) -> None:
        """After a recording that was broken off torch 2.10 takes it to go on, and refuses to draw."""
        if self.device == "cuda":
            generator = torch.cuda.default_generators[torch.cuda.current_device()]
            generator.graphsafe_set_state(generator.clone_state())

    def _keep_gradients(self) -> None:
        """Those of a step's earlier parts: autograd took them where they lay, and the next come there."""
        for parameter in self._parameters:
            if parameter.grad is not None:
                parameter.grad = parameter.grad.clone()


def recorded(head: nn.Module, features: Tensor) -> Forward:
    """Replays of the head, as it is now, on features (B, ...) of this shape.

    To be called where autocast keeps no weights. Raises RuntimeError where CUDA cannot record it.
    """
    names, parameters = zip(*head.named_parameters(), strict=True)

    def call(features: Tensor, *values: Tensor) -> Tensor:
        logits: Tensor = functional_call(head, dict(zip(names, values, strict=True)), (features,))
        return logits

    # Leaves of their own in the parameters' memory: with each leaf the recording keeps the stream on which it
    # is made, and gradients would be added up there.
    leaves = [parameter.detach().requires_grad_(parameter.requires_grad) for parameter in parameters]
    replay: Any = torch.cuda.make_graphed_callables(call, (features.clone(), *leaves))
    return lambda features: replay(features, *parameters)


def _not_graphed(why: str) -> Finding:
    return Finding(
        "info",
        "head",
        f"steps of the head are not recorded as CUDA graphs: {why}",
        "nothing to do; the numbers are the same",
        "head-not-graphed",
    )
