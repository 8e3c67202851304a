"""What lies below a boundary, by its bits."""

from __future__ import annotations

import hashlib

from ftcli.engine.network import Network
from ftcli.engine.proof import digest


def prefix_digest(network: Network, boundary: int) -> str:
    """One digest over every tensor but those of the layers from `boundary` on."""
    layers = network.layer_map
    above = {p.name for p in layers.parameters if p.layer >= boundary}
    above |= {name for bn in layers.batch_norms if bn.layer >= boundary for name in bn.buffers}
    above |= {name for name, layer in layers.buffers if layer >= boundary}
    total = hashlib.sha256()
    for name, tensor in network.model.state_dict().items():
        if name not in above:
            total.update(name.encode() + digest(tensor).encode())
    return total.hexdigest()
