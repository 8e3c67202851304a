"""The calls of modules in a forward pass, watched or answered for.

No tracing: the network's own code runs, and only the outermost calls of the modules that are named are met. What
runs between modules (the glue) runs as always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from ftcli.engine.expected import Expected, tensors
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.network import Network


@dataclass(frozen=True)
class FrozenCall:
    """A module, and what its call gives, with an `Expected` in the place of each tensor."""

    module: nn.Module
    output: Any

    @property
    def is_answered(self) -> bool:
        """Whether it need not be computed again. What is the same for every batch (a bias of positions) is: it is
        cheap, and no part of what is kept by image.
        """
        return any(tensor.follows_the_batch for tensor in tensors(self.output, Expected))

    @property
    def kept(self) -> list[bool]:
        return [tensor.is_kept for tensor in tensors(self.output, Expected)]


@dataclass(frozen=True)
class Recording:
    """A forward pass below a boundary: its input, images (B, 3, S, S) or tokens (B, L), and the outermost calls in
    their order.
    """

    input: Expected
    calls: tuple[FrozenCall, ...]
    of_texts: bool = False
    """What crosses has a row per token then, (B, L, ...); of images it has one per image, (B, ...)."""

    @property
    def crossing(self) -> list[Expected]:
        """What is used above the boundary."""
        return [tensor for call in self.calls for tensor in tensors(call.output, Expected) if tensor.is_kept]


Answer = Callable[[nn.Module, Callable[[], Any]], Any]
"""From a module and what computes its output (without arguments) to the output that its caller gets."""


@contextmanager
def answering(modules: Iterable[nn.Module], answer: Answer) -> Iterator[None]:
    """While it lasts, `answer` stands for the outermost calls of the modules; calls within these are as ever.

    Some models call `module.forward` without the hooks, so it is `forward` of each that is replaced, and put back.
    """
    inside = False

    def replaced(module: nn.Module) -> Callable[..., Any]:
        own = module.forward

        def forward(*arguments: Any, **options: Any) -> Any:
            nonlocal inside
            if inside:
                return own(*arguments, **options)
            inside = True
            try:
                return answer(module, lambda: own(*arguments, **options))
            finally:
                inside = False

        return forward

    before = {module: vars(module).get("forward") for module in modules}
    try:
        for module in before:
            vars(module)["forward"] = replaced(module)
        yield
    finally:
        for module, own in before.items():
            if own is None:
                vars(module).pop("forward", None)
            else:
                vars(module)["forward"] = own


@contextmanager
def evaluating(network: Network) -> Iterator[None]:
    """Eval mode, and afterwards each module in the mode that it was in."""
    before = [(module, module.training) for module in network.model.modules()]
    enter_eval_mode(network)
    try:
        yield
    finally:
        network.model.train()  # what was kept for evaluation alone is forgotten
        for module, training in before:
            module.training = training
