"""What frozen modules do in a forward pass, recorded: which are called, what they give, what of it is used above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ftcli.components.backbone import is_below
from ftcli.engine.expected import Batches, Expected, Layout, expected, layout, mapped, tensors
from ftcli.engine.frozen_calls import FrozenCall, Recording, answering, evaluating
from ftcli.engine.inputs import blank
from ftcli.engine.network import Network
from ftcli.plans.tokenization import Tokenization

Forward = Callable[[Tensor], Tensor]

_IMAGES = Batches(few=2, more=3)
_TEXTS = Batches(few=2, more=3, tokens=8, longer=16)
"""Of passes over so many, so long: the differences tell which sizes grow with the batch."""


def record(network: Network, forward: Forward, boundary: int) -> Recording | None:
    """What the modules below the layer `boundary` do, from passes over blank inputs; None where nothing is gained.

    Only what runs before the first module above the boundary is recorded, and only what no parameter above it has
    touched: activations that are shared by all layers are computed above it as they always were.
    """
    with evaluating(network), torch.inference_mode(False), torch.enable_grad():
        watched = _watched(network, forward, boundary)
        return _recorded(network, forward, watched) if watched else None


@dataclass(frozen=True)
class _Watched:
    """A call, and what is known of each tensor that it gives: its layouts for a few examples, and for longer ones."""

    module: nn.Module
    few: list[Layout]
    longer: list[Layout]


def _batches(network: Network) -> Batches:
    """The sequences of a language model are all of one length, as images are."""
    inputs = network.preprocessing
    return _TEXTS if isinstance(inputs, Tokenization) and not inputs.packed else _IMAGES


def _watched(network: Network, forward: Forward, boundary: int) -> list[_Watched]:
    """The calls; none where longer texts take another way."""
    batches = _batches(network)
    few = _calls(network, forward, boundary, batches.tokens)
    longer = _calls(network, forward, boundary, batches.longer) if batches.longer else few
    if [module for module, _ in few] != [module for module, _ in longer]:
        return []
    return [_Watched(module, one, other) for (module, one), (_, other) in zip(few, longer, strict=True)]


def _calls(
    network: Network, forward: Forward, boundary: int, tokens: int
) -> list[tuple[nn.Module, list[Layout]]]:
    """With the layouts that a few examples have there. Gradients tell what depends on layers above."""
    calls: list[tuple[nn.Module, list[Layout]]] = []
    ended = False

    def end(*_: Any) -> None:
        nonlocal ended
        ended = True

    def watch(module: nn.Module, compute: Callable[[], Any]) -> Any:
        nonlocal ended
        output = compute()
        ended = ended or any(tensor.requires_grad for tensor in tensors(output))
        if not ended:
            calls.append((module, [layout(tensor) for tensor in tensors(output)]))
        return output

    below, above = _below_and_above(network, boundary)
    handles = [module.register_forward_pre_hook(end) for module in above]
    try:
        with _gradients_from(network, boundary), answering(below, watch):
            forward(blank(network.preprocessing, _batches(network).few, tokens=tokens))
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _recorded(network: Network, forward: Forward, watched: Sequence[_Watched]) -> Recording | None:
    """With more examples; what each call gives is made a leaf, so that gradients tell what is used above them."""
    batches = _batches(network)
    inputs: list[tuple[Any, ...]] = []
    calls: list[FrozenCall] = []
    leaves: list[Tensor] = []

    def cut_off(module: nn.Module, compute: Callable[[], Any]) -> Any:
        output = compute()
        if len(calls) == len(watched):
            return output
        known = watched[len(calls)]
        before = zip(known.few, known.longer, strict=True)
        calls.append(
            FrozenCall(module, mapped(output, Tensor, lambda t: expected(*next(before), t, batches)))
        )
        if not calls[-1].is_answered:
            return output
        own = [tensor.detach().requires_grad_(tensor.is_floating_point()) for tensor in tensors(output)]
        leaves.extend(own)
        given = iter(own)
        return mapped(output, Tensor, lambda _: next(given).clone())  # a leaf may not be changed in place

    # Before all others: a text classifier's own hook makes keywords of its tokens.
    handle = network.model.register_forward_pre_hook(
        lambda _, arguments: inputs.append(arguments), prepend=True
    )
    try:
        with answering({call.module for call in watched}, cut_off):
            logits = forward(blank(network.preprocessing, batches.more, tokens=batches.tokens))
    finally:
        handle.remove()
    if not logits.requires_grad or len(inputs) != 1 or len(inputs[0]) != 1:
        return None
    marked = _marked(calls, _used(logits, leaves))
    found = Recording(_input(inputs[0][0], batches), marked, of_texts=bool(batches.tokens))
    return found if all(map(_by_row(found), found.crossing)) else None


def _by_row(recording: Recording) -> Callable[[Expected], bool]:
    if recording.of_texts:
        return lambda tensor: tensor.has_a_row_per_token
    return lambda tensor: tensor.has_a_row_per_image


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


def _input(inputs: Tensor, batches: Batches) -> Expected:
    """As the network gets it. Of texts it is not asked for its length: it is made anew."""
    few = (batches.few, *inputs.shape[1:]), inputs.stride()
    return expected(few, few, inputs, Batches(batches.few, batches.more))


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
        parameter.requires_grad_(layers[name].layer >= boundary and parameter.is_floating_point())
    try:
        yield
    finally:
        for parameter, had in before:
            parameter.requires_grad_(had)
