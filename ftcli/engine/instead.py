"""Other functions in the place of torch's, wherever a network calls them: no network has to be changed for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

Forward = Callable[[Tensor], Tensor]
Functions = Mapping[Callable[..., Any], Callable[..., Any]]
"""One of torch's, and what is called instead, with the same arguments; there torch's own is meant again."""


def instead(functions: Functions, forward: Forward) -> Forward:
    """`forward` with these."""

    def run(inputs: Tensor) -> Tensor:
        with _Instead(functions):
            return forward(inputs)

    return run


class _Instead(TorchFunctionMode):
    """Sees each call where it is made, in whatever module."""

    def __init__(self, functions: Functions) -> None:
        super().__init__()
        self._functions = functions

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return self._functions.get(func, func)(*args, **(kwargs or {}))
