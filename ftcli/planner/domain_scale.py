"""The scale of domain distances: where networks put photographs and noise, and sets that lie between them."""

from __future__ import annotations

from ftcli.plans.domain_distance import Anchors

ANCHORS = {"timm/tf_efficientnet_lite0": Anchors(photographs=0.0387, noise=0.5268)}
"""By network, as `python -m tests.benchmarks.domain_distance` prints them; of any other they are measured first."""

LEAST_RANGE = 2.0
"""Noise lies at least so many times as far as photographs, or the network cannot tell, and nothing is measured."""

KNOWN = (
    (0.0, "photographs"),
    (0.05, "gray photographs"),
    (0.18, "photographs of one scene"),
    (0.4, "emoji drawings"),
    (0.56, "Fashion-MNIST"),
    (0.69, "photographs enlarged from 16 pixels"),
    (0.85, "handwritten digits"),
    (1.0, "noise"),
)
"""Distances of sets that anybody can picture, measured the same way.

With anchors of its own EfficientNet-Lite1 puts them in the same order, within 0.06 of these.
"""


def meaning(distance: float) -> str:
    """The known sets next to a distance: "between drawings (0.44) and Fashion-MNIST (0.61)"."""
    below = max((known for known in KNOWN if known[0] <= distance), default=KNOWN[0])
    above = min((known for known in KNOWN if known[0] > distance), default=below)
    near = min(below, above, key=lambda known: abs(known[0] - distance))
    if abs(near[0] - distance) <= 0.03 or above == below:
        return f"about as {near[1]} ({near[0]:g})"
    return f"between {below[1]} ({below[0]:g}) and {above[1]} ({above[0]:g})"
