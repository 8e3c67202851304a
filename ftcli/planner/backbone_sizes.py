"""Parameters of well-known backbones by stage, so that advice needs neither torch nor weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackboneSize:
    """`stages` from the stem up, with their parameters; `num_features` enter the head."""

    stages: tuple[tuple[str, int], ...]
    num_features: int

    def trainable(self, num_stages: int, num_classes: int) -> int:
        """Parameters of the last `num_stages` stages and of a linear head."""
        upper = self.stages[len(self.stages) - num_stages :]
        return sum(parameters for _, parameters in upper) + (self.num_features + 1) * num_classes


def _resnet(num_features: int, *parameters: int) -> BackboneSize:
    names = ("stem", "layer1", "layer2", "layer3", "layer4")
    return BackboneSize(tuple(zip(names, parameters, strict=True)), num_features)


SIZES = {
    "torchvision/resnet18": _resnet(512, 9_536, 147_968, 525_568, 2_099_712, 8_393_728),
    "torchvision/resnet34": _resnet(512, 9_536, 221_952, 1_116_416, 6_822_400, 13_114_368),
    "torchvision/resnet50": _resnet(2048, 9_536, 215_808, 1_219_584, 7_098_368, 14_964_736),
}
"""Measured on the networks themselves; a test holds them to it."""
