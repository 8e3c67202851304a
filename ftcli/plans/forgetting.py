"""What a backbone has forgotten: its old classifier on images of its own kind, before training and after."""

from __future__ import annotations

from dataclasses import dataclass

SURE = 0.05
"""The p below which a fall is more than other images of the kind might have shown."""


@dataclass(frozen=True)
class Forgetting:
    """The same images twice, so that what is compared is each with itself."""

    num_images: int
    num_classes: int
    """That these images are of."""
    before: float
    """Top-1 accuracy of the network as its weights were opened."""
    after: float
    """Of the old classifier on the backbone of best.safetensors."""
    lost: int
    """Images that were right before, and are not now."""
    gained: int
    """The other way round."""
    p: float
    """Exact, two-sided (McNemar): how likely a difference of that size is where nothing was forgotten."""

    @property
    def is_sure(self) -> bool:
        """Whether something was forgotten, beyond chance."""
        return self.lost > self.gained and self.p < SURE
