"""What stands on the backbone: one linear layer, or two or three with ReLU and dropout between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ftcli.registry import Choice, Many

if TYPE_CHECKING:
    from torch import nn

Dropout = Annotated[float, Field(ge=0, lt=1)]


class Linear(Choice):
    """One linear layer: the linear probe of the literature."""

    kind: Literal["linear"] = "linear"
    dropout: Dropout = 0.0
    """Dropout before it."""


class MLP(Choice):
    """Linear, ReLU, dropout, Linear; with two hidden widths, three linear layers."""

    kind: Literal["mlp"]
    hidden: Many[Annotated[int, Field(gt=0)]] = Field(default=(512,), min_length=1, max_length=2)
    """Widths of the hidden layers."""
    dropout: Dropout = 0.2
    """Dropout after each ReLU."""


def build(options: Linear | MLP, num_features: int, num_classes: int) -> nn.Module:
    """The head: features (batch, ..., num_features) to logits (batch, ..., num_classes)."""
    from torch import nn

    if isinstance(options, Linear):
        linear = nn.Linear(num_features, num_classes)
        return nn.Sequential(nn.Dropout(options.dropout), linear) if options.dropout else linear
    widths = (num_features, *options.hidden)
    layers: list[nn.Module] = []
    for width_in, width_out in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(width_in, width_out), nn.ReLU(), nn.Dropout(options.dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))
