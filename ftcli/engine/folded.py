"""Batch norms of frozen layers, folded into the convolutions before them: one way through the activations less.

In eval mode a batch norm is a scale and a shift for each channel, and so is what it makes of a convolution: one with
other weights and a bias. The network itself is not changed, the other weights are put in where it calls the
convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ftcli.engine.expected import tensors
from ftcli.engine.frozen_calls import evaluating
from ftcli.engine.head_cut import cut_before_head, inputs_of
from ftcli.engine.instead import Forward, instead
from ftcli.engine.network import Network

MOST_ERROR = 1e-4
"""How far folding may move the features that enter the head, relative to their norm. It was 1e-7 for ResNet-18 and
8e-7 for EfficientNet-Lite0: rounding. More than this is a pair that was none."""


@dataclass(frozen=True)
class FoldedConvolution:
    """What stands for a convolution and the batch norm behind it. `of` is its own weight, by which it is known."""

    of: Tensor
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Fold:
    """Convolutions by the id of their weight, batch norms by that of their running mean; without any, nothing is done.

    It holds while the frozen tensors have the values that they had when it was made: `below` is their digest.
    """

    below: str = ""
    convolutions: Mapping[int, FoldedConvolution] = field(default_factory=dict)
    norms: Mapping[int, Tensor] = field(default_factory=dict)
    error: float = 0.0
    """|folded - apart| over |apart|, of the features that were compared; NaN where there were none."""

    @property
    def name(self) -> str:
        """Empty where nothing is folded."""
        return name_of(self.below) if self.convolutions else ""

    def applied(self, forward: Forward) -> Forward:
        """The same function but for rounding."""
        if not self.convolutions:
            return forward

        return instead({torch.conv2d: self._conv2d, F.batch_norm: self._batch_norm}, forward)

    def _conv2d(
        self, input: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **options: Any
    ) -> Tensor:
        folded = self.convolutions.get(id(weight))
        if folded is not None:
            weight, bias = folded.weight, folded.bias
        return torch.conv2d(input, weight, bias, *rest, **options)

    def _batch_norm(self, input: Tensor, running_mean: Tensor | None, *rest: Any, **options: Any) -> Tensor:
        if id(running_mean) in self.norms:
            return input
        return F.batch_norm(input, running_mean, *rest, **options)


UNFOLDED = Fold()


def name_of(below: str) -> str:
    """The name that a fold will have whose proof holds."""
    return f"folded {below}"


def fold_below(network: Network, forward: Forward, boundary: int, images_BCHW: Tensor, below: str) -> Fold:
    """The batch norms of the layers below `boundary`, proved on a few uint8 images (B, 3, S, S): see MOST_ERROR.

    The fold is empty where the proof fails. `below` is a digest of these layers. It costs two forward passes.
    """
    firsts, _ = cut_before_head(network)
    pairs = _Pairs(_tensors_below(network, boundary))
    with evaluating(network), torch.inference_mode(False), torch.no_grad():
        with pairs:
            apart = inputs_of(firsts, forward, images_BCHW)
        fold = pairs.fold(below)
        together = inputs_of(firsts, fold.applied(forward), images_BCHW)
    error = _error(apart, together)
    return (
        Fold(below, fold.convolutions, fold.norms, error) if error <= MOST_ERROR else Fold(below, error=error)
    )


def _error(apart: Tensor | None, together: Tensor | None) -> float:
    if apart is None or together is None:
        return float("nan")
    return ((together.double() - apart.double()).norm() / apart.double().norm()).item()


def _tensors_below(network: Network, boundary: int) -> dict[int, Tensor]:
    """Parameters and running statistics, by id."""
    names = {p.name for p in network.layer_map.parameters if p.layer < boundary}
    names |= {name for bn in network.layer_map.batch_norms if bn.layer < boundary for name in bn.buffers}
    named = [*network.model.named_parameters(), *network.model.named_buffers()]
    return {id(tensor): tensor for name, tensor in named if name in names}


@dataclass
class _Convolved:
    """What a convolution gave, and the one batch norm that took it: its statistics, weight, bias and epsilon."""

    output: ReferenceType[Tensor]
    weight: Tensor
    bias: Tensor | None
    norm: tuple[Tensor, Tensor, Tensor | None, Tensor | None, float] | None = None
    used_elsewhere: bool = False


class _Pairs(TorchFunctionMode):
    """Watches a forward pass for convolutions whose output a batch norm takes, and nothing else."""

    def __init__(self, frozen: Mapping[int, Tensor]) -> None:
        super().__init__()
        self._frozen = frozen
        self._convolved: list[_Convolved] = []
        self._last: dict[int, _Convolved] = {}
        self._called: list[int] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        output = func(*args, **given)
        is_pair = func is F.batch_norm and self._normed(*args, **given)
        if not is_pair and tensors(output):  # a question about a shape is no use of the values
            for tensor in tensors((args, given)):
                if made := self._made(tensor):
                    made.used_elsewhere = True
        if func is torch.conv2d:
            self._took(output, *args, **given)
        return output

    def _made(self, tensor: Tensor) -> _Convolved | None:
        """The convolution whose output this is: an id alone may have been another's before."""
        made = self._last.get(id(tensor))
        return made if made is not None and made.output() is tensor else None

    def _took(
        self, output: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None = None, *_: Any, **__: Any
    ) -> None:
        self._called.append(id(weight))
        if id(weight) in self._frozen:
            self._convolved.append(_Convolved(ref(output), weight, bias))
            self._last[id(output)] = self._convolved[-1]

    def _normed(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> bool:
        """Whether it is the batch norm of a convolution, and the first."""
        self._called.append(id(running_mean))
        made = self._made(input)
        if running_mean is None or running_var is None or id(running_mean) not in self._frozen:
            return False
        if made is None or made.norm is not None or training:
            return False
        made.norm = running_mean, running_var, weight, bias, eps
        return True

    def fold(self, below: str) -> Fold:
        """Without what was called twice: a weight that several share."""
        convolutions, norms = {}, {}
        for made in self._convolved:
            if made.norm is None or made.used_elsewhere:
                continue
            if self._called.count(id(made.weight)) == self._called.count(id(made.norm[0])) == 1:
                convolutions[id(made.weight)] = _together(made)
                norms[id(made.norm[0])] = made.norm[0]
        return Fold(below, convolutions, norms)


def _together(made: _Convolved) -> FoldedConvolution:
    """In double precision, rounded once."""
    assert made.norm is not None
    mean, var, weight, bias, eps = made.norm
    scale = (var.double() + eps).rsqrt() * (1.0 if weight is None else weight.double())
    shift = (0.0 if made.bias is None else made.bias.double()) - mean.double()
    shift = shift * scale + (0.0 if bias is None else bias.double())
    scaled = made.weight.double() * scale.reshape(-1, 1, 1, 1)
    dtype = made.weight.dtype
    return FoldedConvolution(made.weight, scaled.to(dtype).detach(), shift.to(dtype).detach())
