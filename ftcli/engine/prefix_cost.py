"""What a part of the network costs: counted, not timed, so that the same network always gives the same plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ftcli.engine.crossing import row_bytes
from ftcli.engine.cut import cut_at
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.inputs import blank, ready
from ftcli.engine.network import Network
from ftcli.plans.prefix import PrefixCost
from ftcli.plans.tokenization import Tokenization


def prefix_costs(
    network: Network, boundaries: Iterable[int], tokens: float | None = None
) -> dict[int, PrefixCost]:
    """By boundary; one that the network cannot be cut at is left out. The network keeps its modes.

    `tokens`: of a text in the mean; None: as many as it may have.
    Nothing is counted of a network on the meta device whose code looks at values (DeBERTa).
    """
    with _on_one_image(network) as image:
        try:
            whole = _flops(network, lambda: _forward(network, image))
            costs = {boundary: _cost(network, boundary, image, whole, tokens) for boundary in set(boundaries)}
        except RuntimeError:
            if image.is_meta:
                return {}
            raise
    return {boundary: cost for boundary, cost in costs.items() if cost is not None}


def forward_flops(network: Network) -> int:
    """Floating-point operations of one image's way through the network, which keeps its modes."""
    with _on_one_image(network) as image:
        return _flops(network, lambda: _forward(network, image))


@contextmanager
def _on_one_image(network: Network) -> Iterator[Tensor]:
    """An empty one, where the network is; meanwhile in eval mode."""
    modes = {name: module.training for name, module in network.model.named_modules()}
    device = next(network.model.parameters()).device
    enter_eval_mode(network)
    try:
        yield blank(network.preprocessing, 1, device)
    finally:
        _restore(network.model, modes)


def _cost(
    network: Network, boundary: int, image: Tensor, whole: int, tokens: float | None
) -> PrefixCost | None:
    cut = cut_at(network, lambda images: _forward(network, images), boundary)
    if cut is None:
        return None
    seen: list[Tensor] = []
    below = _flops(network, lambda: seen.append(cut.prefix(image)))
    size: float = seen[0].nbytes
    if cut.by_token and isinstance(network.preprocessing, Tokenization):
        size = row_bytes(seen[0]) * (tokens or network.preprocessing.max_length)
    return PrefixCost(below / whole if whole else 0.0, round(size))


def _forward(network: Network, images_BCHW: Tensor) -> Tensor:
    images_BCHW = images_BCHW.to(next(network.model.parameters()).device)
    logits: Tensor = network.model(ready(images_BCHW, network.preprocessing))
    return logits


def _flops(network: Network, run: Callable[[], object]) -> int:
    """Meanwhile no parameter asks for a gradient: torch's counter fails where one is a module's input (DeBERTa)."""
    asking = [parameter for parameter in network.model.parameters() if parameter.requires_grad]
    try:
        for parameter in asking:
            parameter.requires_grad_(False)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            run()
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)
    total: int = counter.get_total_flops()
    return total


def _restore(model: nn.Module, modes: dict[str, bool]) -> None:
    for name, module in model.named_modules():
        module.training = modes[name]
