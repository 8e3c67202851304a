"""A network in two parts at a layer boundary: what lies below, once frozen, is computed once, the rest trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ftcli.components.backbone import is_below
from ftcli.engine.crossing import by_token, input_of, packed, unpacked
from ftcli.engine.expected import Expected, mapped, tensors
from ftcli.engine.folded import UNFOLDED, Fold
from ftcli.engine.frozen_calls import FrozenCall, Recording, answering, evaluating
from ftcli.engine.head_cut import cut_before_head, inputs_of
from ftcli.engine.inputs import noise
from ftcli.engine.network import Network
from ftcli.engine.recording import record
from ftcli.engine.tokenizer import padded
from ftcli.plans.inputs import Inputs
from ftcli.plans.tokenization import PAD, Tokenization

_TRIES = 4
"""Boundaries at which `highest_cut` looks: each costs a forward pass or two."""

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Cut:
    """A network in two parts, which share its modules.

    The layers below are frozen and in eval mode whenever a part is called; what was kept of them is theirs until
    their values change.
    """

    boundary: int
    """The first layer above the cut: a layer index of the network's map. That of the head means features."""
    prefix: Forward
    """uint8 images (B, 3, S, S), or tokens (B, L) -> what crosses the boundary (B, ...), without grad. The forward
    pass ends there.

    Row i belongs to example i and to no other, so that rows may be kept, shuffled and put into other batches.
    """
    suffix: Forward
    """What crosses the boundary (B, ...) -> logits (B, C), in the modes and with the requires_grad of the moment.

    It owns its argument: activations above the cut may overwrite it, so it gets a batch of its own each time.
    """
    by_token: bool = False
    """What crosses is that of each token of a text, (B, L, D + 1): see engine/crossing."""
    rounding: str = ""
    """What makes the parts round otherwise than the network's own code does, by a name that goes with its bits."""
    onward: Callable[[Cut, Tensor], Tensor] | None = None
    """From a lower cut and what crosses it to what crosses this one, without grad: nothing below the lower one runs.

    Not yet proved: see engine/onward. Raises RuntimeError where there is no such way.
    """
    recording: Recording | None = None
    """What runs below it, of a cut between modules."""
    head: nn.Module | None = None
    """All that runs above it, of a cut before the head."""


class _Reached(Exception):
    """Ends a forward pass once nothing is missing."""


def cut_at(network: Network, forward: Forward, boundary: int) -> Cut | None:
    """The cut below the layer `boundary`, not yet proved; None where there is none to be had.

    `forward` maps uint8 images (B, 3, S, S) to logits (B, C). Call it under the autocast that the cut will be used
    in. It costs two forward passes of a few images; modes and requires_grad are left as they were.
    """
    return next(_cuts(network, forward, boundary), None)


@torch.no_grad()
def proved(cut: Cut, forward: Forward, images_BCHW: Tensor) -> bool:
    """Whether the two parts give the logits of the whole, bit for bit. The network is in eval mode."""
    whole = forward(images_BCHW)
    try:
        return torch.equal(cut.suffix(cut.prefix(images_BCHW)), whole)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # of glue that writes into a placeholder or asks for its values
        return False


def highest_cut(
    network: Network, forward: Forward, boundary: int, images_BCHW: Tensor, fold: Fold = UNFOLDED
) -> Cut | None:
    """The highest proved cut at or below the layer `boundary`; None when no useful one is found.

    `fold` is that of the layers below `boundary`: the parts are proved equal to the whole that is folded so.
    A cut is useful when a layer lies below it that computes something: each has parameters, but those of a text's
    embeddings are looked up. Below the boundary itself only the first
    layers of stages are tried, and of these the highest few.
    """
    layers = network.layer_map.layers
    starts = [layer.index for layer in layers[1:] if layer.stage != layers[layer.index - 1].stage]
    least = 2 if isinstance(network.preprocessing, Tokenization) else 1
    lower = sorted((index for index in starts if least <= index < boundary), reverse=True)
    whole = fold.applied(forward)
    with evaluating(network):
        for index in [index for index in (boundary, *lower) if index >= least][:_TRIES]:
            for cut in _cuts(network, forward, index, fold):
                if index < boundary:  # frozen layers are above it too
                    cut = replace(cut, suffix=fold.applied(cut.suffix))
                if proved(cut, whole, images_BCHW) and _pads_exactly(cut, network.preprocessing, images_BCHW):
                    return replace(cut, rounding=fold.name)
    return None


@torch.no_grad()
def _pads_exactly(cut: Cut, inputs: Inputs, tokens_BL: Tensor) -> bool:
    """Whether what crosses is the same, bit for bit, for texts on their own: in other batches they are padded
    otherwise.
    """
    if not cut.by_token or not isinstance(inputs, Tokenization):
        return True
    together = cut.prefix(tokens_BL)
    for row, tokens in zip(together, tokens_BL, strict=True):
        alone = padded([tokens[tokens != PAD]], inputs)
        if not torch.equal(by_token(cut.prefix(alone)), by_token(row[None])):
            return False
    return True


def _cuts(network: Network, forward: Forward, boundary: int, fold: Fold = UNFOLDED) -> Iterator[Cut]:
    """The ways to cut there, the best first: features are less than what crosses between modules.

    Heads that are joined in a way of their own can be cut off between modules like any other layer.
    """
    if boundary == network.layer_map.layers[-1].index and not _drops_before_head(network, forward):
        yield _cut_before_head(network, forward, boundary, fold)
    if boundary > 0 and (cut := _cut_between_modules(network, forward, boundary, fold)):
        yield cut


def _drops_before_head(network: Network, forward: Forward) -> bool:
    """Whether a dropout of the backbone's own works while the head trains: features would lack it.

    It may be a module or a function call, so features in the modes of that training are compared with settled ones.
    """
    firsts, _ = cut_before_head(network)
    images, head = noise(network.preprocessing, 2), network.layer_map.layers[-1].index
    in_head = [name for name, layer in network.module_layers.items() if layer == head]
    with evaluating(network), torch.no_grad(), torch.random.fork_rng(devices=[]):
        settled = inputs_of(firsts, forward, images)
        for name, module in network.model.named_modules():
            has_statistics = any(True for _ in module.buffers(recurse=False))
            if any(is_below(other, [name]) for other in in_head) or not name:
                module.training = network.module_layers.get(name, head) == head and not has_statistics
        drawn = inputs_of(firsts, forward, images)
    if settled is None or drawn is None:
        return True
    return not settled.is_meta and not torch.equal(settled, drawn)  # without values there is nothing to see


def _cut_before_head(network: Network, forward: Forward, boundary: int, fold: Fold) -> Cut:
    firsts, tail = cut_before_head(network)

    def reached(way: Forward, inputs: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.no_grad():
            features = inputs_of(firsts, fold.applied(way), inputs)
        if features is None:
            raise RuntimeError("no features reach the head")
        return features

    def onward(lower: Cut, kept: Tensor) -> Tensor:
        return reached(lower.suffix, kept)

    def suffix(features: Tensor) -> Tensor:
        # A copy: heads may drop out in place, and a step that ran out of memory is made again from the same features.
        logits: Tensor = tail(features.clone())
        return logits

    return Cut(boundary, partial(reached, forward), suffix, onward=onward, head=tail)


def _cut_between_modules(network: Network, forward: Forward, boundary: int, fold: Fold) -> Cut | None:
    recording = record(network, fold.applied(forward), boundary)
    if recording is None or not recording.crossing:
        return None

    def prefix(images_BCHW: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.no_grad():
            parts = _computed(recording.calls, fold.applied(forward), images_BCHW)
            return packed(recording, parts, images_BCHW)

    def onward(lower: Cut, kept: Tensor) -> Tensor:
        if lower.recording is None:
            raise RuntimeError("the lower cut is not between modules")
        with torch.inference_mode(False), torch.no_grad():
            calls = _beyond(lower.recording, recording)
            parts = _computed(calls, fold.applied(lower.suffix), kept)
            return packed(recording, parts, input_of(lower.recording, kept))

    def suffix(kept: Tensor) -> Tensor:
        kept = _trainable(kept)
        return _resumed(recording, network.model, input_of(recording, kept), unpacked(recording, kept))

    return Cut(boundary, prefix, suffix, by_token=recording.of_texts, onward=onward, recording=recording)


def _beyond(lower: Recording, upper: Recording) -> list[FrozenCall]:
    """The calls of the upper that the lower has not met. Raises RuntimeError where none is left, or one that it has
    met crosses both.
    """
    met = {call.module for call in lower.calls}
    if any(any(call.kept) for call in upper.calls if call.module in met):
        raise RuntimeError("what crosses the lower boundary crosses the upper one too")
    calls = [call for call in upper.calls if call.module not in met]
    if not calls:
        raise RuntimeError("nothing runs between the two boundaries")
    return calls


def _computed(expected: Sequence[FrozenCall], forward: Forward, inputs: Tensor) -> list[Tensor]:
    """What crosses the boundary; the forward pass ends with the last of it."""
    found: list[Tensor] = []
    calls = iter(expected)

    def take(module: nn.Module, compute: Callable[[], Any]) -> Any:
        call = _expect(calls, module)
        output = compute()
        found.extend(tensor for tensor, kept in zip(tensors(output), call.kept, strict=True) if kept)
        if call is expected[-1]:
            raise _Reached
        return output

    try:
        with answering({call.module for call in expected}, take):
            forward(inputs)
    except _Reached:
        return found
    raise RuntimeError("the forward pass is over, and not all has been met that was recorded")


def _resumed(recording: Recording, model: nn.Module, inputs: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """The logits, from what crosses the boundary: the recorded calls give it, and placeholders where nothing does."""
    size = (len(inputs), inputs.shape[1] if recording.of_texts else 0)
    remaining = iter(parts)
    calls = iter(recording.calls)
    met = 0

    def give(tensor: Expected) -> Tensor:
        return next(remaining) if tensor.is_kept else tensor.placeholder(*size)

    def answer(module: nn.Module, compute: Callable[[], Any]) -> Any:
        nonlocal met
        if met == len(recording.calls):
            return compute()
        call = _expect(calls, module)
        met += 1
        return mapped(call.output, Expected, give) if call.is_answered else compute()

    with answering({call.module for call in recording.calls}, answer):
        logits: Tensor = model(inputs)
    return logits


def _expect(calls: Iterator[FrozenCall], module: nn.Module) -> FrozenCall:
    call = next(calls, None)
    if call is None or call.module is not module:
        raise RuntimeError("the forward pass takes another way than the one that was recorded")
    return call


def _trainable(kept: Tensor) -> Tensor:
    """A tensor from inference mode cannot be saved for a backward pass; a copy of it can."""
    return kept.clone() if kept.is_inference() and not torch.is_inference_mode_enabled() else kept
