"""Virtual tokens in a network's forward pass: PEFT's own model says what it is called with in the place of a text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


class AsCalled(nn.Module):
    """Stands for a network inside of PEFT's model, and gives back what that calls it with."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def forward(self, **arguments: Any) -> dict[str, Any]:
        return arguments


@dataclass(eq=False)
class Prompt:
    """Hooks before and behind a network, so that it keeps its class, and its tensors their names."""

    of_peft: Any
    """A PeftModel around `AsCalled`, whose prompt encoder the network shares."""
    tokens: int
    """How many are virtual."""
    in_sequence: int
    """How many of them a language model says the next token behind; 0 where they are keys and values alone."""
    is_on: bool = True

    def join(self, model: nn.Module) -> None:
        """Call it once the network's own hooks are there: they turn tokens into arguments."""
        model.prompt_encoder = self.of_peft.prompt_encoder
        model.register_forward_pre_hook(self._before, with_kwargs=True)
        if self.in_sequence:
            model.register_forward_hook(self._behind)

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """While it lasts the network computes as it was pretrained."""
        self.is_on = False
        try:
            yield
        finally:
            self.is_on = True

    def _before(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if not self.is_on:
            return args, kwargs
        mask = kwargs.get("attention_mask")
        if mask is None or mask.ndim == 2:
            return (), self.of_peft(**kwargs)
        called = self.of_peft(**{**kwargs, "attention_mask": None})
        return (), {**called, "attention_mask": self._widened(mask)}

    def _widened(self, causal_11LL: Tensor) -> Tensor:
        """A language model's without values, the only one that comes with such a mask: PEFT takes none of those."""
        length = causal_11LL.shape[-1]
        seen, wide = length + self.in_sequence, length + self.tokens
        return causal_11LL.new_ones((1, 1, seen, wide)).tril(wide - seen)

    def _behind(self, model: nn.Module, args: tuple[Any, ...], logits_BLV: Tensor) -> Tensor | None:
        return logits_BLV[:, self.in_sequence :] if self.is_on else None
