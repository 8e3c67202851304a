"""The calls of frozen modules in a forward pass: which there are, what they give, and which of it is used above them.

No tracing: the network's own code runs, and only the outermost calls of modules that lie wholly below a
boundary are watched or answered for. What runs between modules (the glue) runs as always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ftcli.components.backbone import is_below
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.inputs import blank
from ftcli.engine.network import Network

_FEW, _MORE = 2, 3
"""Images in the two passes of a recording: the difference tells which sizes grow with the batch."""


@dataclass(frozen=True)
class Sizes:
    """Numbers that grow with the batch: a shape or strides."""

    base: tuple[int, ...]
    """For no images."""
    growth: tuple[int, ...]
    """By what one more image makes each larger."""

    def of(self, images: int) -> tuple[int, ...]:
        return tuple(size + images * more for size, more in zip(self.base, self.growth, strict=True))


@dataclass(frozen=True)
class Expected:
    """A tensor, as far as it is known before it is computed."""

    shape: Sizes
    strides: Sizes
    nothing: Tensor
    """One value that spoils whatever uses it: NaN, so that a wrong cut is seen and never trained with."""
    is_kept: bool = False
    """It is used above the boundary."""

    @property
    def follows_the_batch(self) -> bool:
        return any(self.shape.growth)

    @property
    def has_a_row_per_image(self) -> bool:
        """(B, ...)"""
        growth = self.shape.growth
        return self.shape.base[:1] == (0,) and growth[0] == 1 and not any(growth[1:])

    def placeholder(self, images: int) -> Tensor:
        """Of the right shape and dtype; it holds one value, whatever its size."""
        return self.nothing.expand(self.shape.of(images))

    def restore(self, rows: Tensor) -> Tensor:
        """The tensor from its values (B, ...), laid out in memory as it was: that can decide the last bit of a sum."""
        tensor = rows.reshape(self.shape.of(len(rows)))
        strides = self.strides.of(len(rows))
        if tensor.stride() == strides:
            return tensor
        if 0 in strides:  # several elements in one place, as `expand` leaves them
            return tensor.contiguous()
        return tensor.new_empty_strided(tensor.shape, strides).copy_(tensor)


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
    """A forward pass below a boundary: its input (B, 3, S, S), and the outermost calls in their order."""

    image: Expected
    calls: tuple[FrozenCall, ...]

    @property
    def crossing(self) -> list[Expected]:
        """What is used above the boundary."""
        return [tensor for call in self.calls for tensor in tensors(call.output, Expected) if tensor.is_kept]


def mapped(output: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """A module's output (a tensor, or tuples, lists and dicts of them) with `change` made to all of a kind."""
    if isinstance(output, kind):
        return change(output)
    if isinstance(output, dict):
        return type(output)({key: mapped(value, kind, change) for key, value in output.items()})
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*(mapped(value, kind, change) for value in output))
    if isinstance(output, (tuple, list)):
        return type(output)(mapped(value, kind, change) for value in output)
    return output


def tensors(output: Any, kind: type = Tensor) -> list[Any]:
    """All of a kind in a module's output, in the order of `mapped`."""
    found: list[Any] = []
    mapped(output, kind, found.append)
    return found


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


def record(network: Network, forward: Callable[[Tensor], Tensor], boundary: int) -> Recording | None:
    """What the modules below the layer `boundary` do, from two passes over blank images; None where nothing is gained.

    Only what runs before the first module above the boundary is recorded, and only what no parameter above it has
    touched: activations that are shared by all layers are computed above it as they always were.
    """
    with evaluating(network), torch.inference_mode(False), torch.enable_grad():
        watched = _first_pass(network, forward, boundary)
        return _second_pass(network, forward, watched) if watched else None


@dataclass
class _Watched:
    """A call of the first pass."""

    module: nn.Module
    layouts: list[tuple[tuple[int, ...], tuple[int, ...]]]
    """Shape and strides of each tensor that it gives."""


def _first_pass(network: Network, forward: Callable[[Tensor], Tensor], boundary: int) -> list[_Watched]:
    """The calls, with the shapes that a few images have there. Gradients tell what depends on layers above."""
    calls: list[_Watched] = []
    ended = False

    def end(*_: Any) -> None:
        nonlocal ended
        ended = True

    def watch(module: nn.Module, compute: Callable[[], Any]) -> Any:
        nonlocal ended
        output = compute()
        ended = ended or any(tensor.requires_grad for tensor in tensors(output))
        if not ended:
            calls.append(_Watched(module, [_layout(tensor) for tensor in tensors(output)]))
        return output

    below, above = _below_and_above(network, boundary)
    handles = [module.register_forward_pre_hook(end) for module in above]
    try:
        with _gradients_from(network, boundary), answering(below, watch):
            forward(_blank(network, _FEW))
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _second_pass(
    network: Network, forward: Callable[[Tensor], Tensor], watched: Sequence[_Watched]
) -> Recording | None:
    """With more images; what each call gives is made a leaf, so that gradients tell what is used above them."""
    inputs: list[tuple[Any, ...]] = []
    calls: list[FrozenCall] = []
    leaves: list[Tensor] = []

    def cut_off(module: nn.Module, compute: Callable[[], Any]) -> Any:
        output = compute()
        if len(calls) == len(watched):
            return output
        before = iter(watched[len(calls)].layouts)
        calls.append(
            FrozenCall(module, mapped(output, Tensor, lambda tensor: _expected(next(before), tensor)))
        )
        if not calls[-1].is_answered:
            return output
        own = [tensor.detach().requires_grad_(tensor.is_floating_point()) for tensor in tensors(output)]
        leaves.extend(own)
        given = iter(own)
        return mapped(output, Tensor, lambda _: next(given).clone())  # a leaf may not be changed in place

    handle = network.model.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments))
    try:
        with answering({call.module for call in watched}, cut_off):
            logits = forward(_blank(network, _MORE))
    finally:
        handle.remove()
    if not logits.requires_grad or len(inputs) != 1 or len(inputs[0]) != 1:
        return None
    used = _used(logits, leaves)
    found = Recording(_input(inputs[0][0]), _marked(calls, used))
    return found if all(tensor.has_a_row_per_image for tensor in found.crossing) else None


def _used(logits: Tensor, leaves: Sequence[Tensor]) -> Iterator[bool]:
    """For each leaf, whether the logits depend on it."""
    real = [leaf for leaf in leaves if leaf.requires_grad]
    gradients = iter(torch.autograd.grad(logits.sum(), real, allow_unused=True))
    return (leaf.requires_grad and next(gradients) is not None for leaf in leaves)


def _marked(calls: Sequence[FrozenCall], used: Iterator[bool]) -> tuple[FrozenCall, ...]:
    """Up to the last call of which something is kept."""

    def mark(tensor: Expected) -> Expected:
        return replace(tensor, is_kept=next(used))

    marked = [
        FrozenCall(call.module, mapped(call.output, Expected, mark)) if call.is_answered else call
        for call in calls
    ]
    last = max((number for number, call in enumerate(marked) if any(call.kept)), default=-1)
    return tuple(marked[: last + 1])


def _input(images_BCHW: Tensor) -> Expected:
    shape = tuple(images_BCHW.shape)
    return _expected(((_FEW, *shape[1:]), images_BCHW.stride()), images_BCHW)


def _layout(tensor: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(tensor.shape), tensor.stride()


def _expected(before: tuple[tuple[int, ...], tuple[int, ...]], tensor: Tensor) -> Expected:
    """From the layout that it had for a few images, and the tensor for more."""
    shape, strides = (_sizes(few, more) for few, more in zip(before, _layout(tensor), strict=True))
    value = float("nan") if tensor.is_floating_point() else 0
    return Expected(shape, strides, torch.full((), value, dtype=tensor.dtype, device=tensor.device))


def _sizes(few: tuple[int, ...], more: tuple[int, ...]) -> Sizes:
    growth = tuple((b - a) // (_MORE - _FEW) for a, b in zip(few, more, strict=True))
    return Sizes(tuple(a - _FEW * grown for a, grown in zip(few, growth, strict=True)), growth)


def _blank(network: Network, count: int) -> Tensor:
    return blank(network.preprocessing, count)


def _below_and_above(network: Network, boundary: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """The modules that lie wholly below the boundary, and those above it that have parameters of their own."""
    layers = [
        *(
            (name.rpartition(".")[0], parameter.layer)
            for name, parameter in network.layer_map.by_name.items()
        ),
        *((name, layer) for name, layer in network.module_layers.items() if not _is_settled(network, name)),
    ]
    spans: dict[str, set[int]] = {name: set() for name, _ in network.model.named_modules()}
    for path, layer in layers:
        parts = path.split(".") if path else []
        for depth in range(len(parts) + 1):
            spans[".".join(parts[:depth])].add(layer)
    modules = {name: network.model.get_submodule(name) for name in spans}
    below = [modules[name] for name, span in spans.items() if max(span, default=0) < boundary]
    above = [modules[name] for name, span in spans.items() if min(span, default=0) >= boundary]
    return below, [module for module in above if any(True for _ in module.parameters(recurse=False))]


def _is_settled(network: Network, name: str) -> bool:
    """Whether it lies before the head, in its layer, and has nothing that trains or is drawn: a pooling.

    Features are smaller behind it, so it is computed with what is frozen.
    """
    if network.module_layers[name] != network.layer_map.layers[-1].index or is_below(name, network.heads):
        return False
    module = network.model.get_submodule(name)
    return not any(True for _ in module.parameters()) and not any(map(_is_dropout, module.modules()))


def _is_dropout(module: nn.Module) -> bool:
    """By its name: those of torch, drop-path and drop-block of others."""
    return "drop" in type(module).__name__.lower()


@contextmanager
def _gradients_from(network: Network, boundary: int) -> Iterator[None]:
    """Gradients for the parameters above the boundary alone, and afterwards for those that had them."""
    layers = network.layer_map.by_name
    before = [(parameter, parameter.requires_grad) for parameter in network.model.parameters()]
    for name, parameter in network.model.named_parameters():
        parameter.requires_grad_(layers[name].layer >= boundary)
    try:
        yield
    finally:
        for parameter, had in before:
            parameter.requires_grad_(had)
