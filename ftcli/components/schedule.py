"""How the LR moves over a span of training: warm-up, then one of five bodies (see plan/lr_curve.py)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ftcli.plans.lr_curve import LrCurve
from ftcli.registry import Choice, Many, Options


class Warmup(Options):
    """Linear warm-up. A bare number is epochs; a string such as "10%" is a share of the training."""

    epochs: float | None = Field(default=None, ge=0)
    """Length in epochs; fractions allowed."""
    fraction: float | None = Field(default=None, ge=0, lt=1)
    """Length as a share of the span, 0 to 1. Default 0.1 when neither is given."""
    start_factor: float = Field(default=0.1, gt=0, le=1)
    """Factor on the LR at the first step."""

    @model_validator(mode="after")
    def _one_length(self) -> Warmup:
        if self.epochs is not None and self.fraction is not None:
            raise ValueError("give epochs or fraction, not both")
        return self

    def length(self, span: float) -> float:
        """Epochs of warm-up within a span of that many epochs."""
        if self.epochs is not None:
            return self.epochs
        return span * (0.1 if self.fraction is None else self.fraction)


def _expand_warmup(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"epochs": value}
    if isinstance(value, str) and value.endswith("%"):
        try:
            return {"fraction": float(value[:-1]) / 100}
        except ValueError:
            return value
    return value


WarmupField = Annotated[Warmup, BeforeValidator(_expand_warmup, json_schema_input_type=float | str | Warmup)]


class _Schedule(Choice):
    warmup: WarmupField = Warmup()
    """Linear warm-up before the body: epochs (3), a share ("10%"), or {epochs|fraction, start_factor}."""
    per: Literal["step", "epoch"] = "step"
    """Move the LR at every optimizer step, or hold it within an epoch."""


class Cosine(_Schedule):
    """Half a cosine from the peak down to `final_factor`."""

    kind: Literal["cosine"] = "cosine"
    final_factor: float = Field(default=0.0, ge=0, le=1)
    """Factor on the LR at the end."""


class Linear(_Schedule):
    """A straight line from the peak down to `final_factor`."""

    kind: Literal["linear"]
    final_factor: float = Field(default=0.0, ge=0, le=1)
    """Factor on the LR at the end."""


class Step(_Schedule):
    """Multiply the LR by `gamma` at each milestone."""

    kind: Literal["step"]
    milestones: Many[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    """Epochs at which the LR drops."""
    gamma: float = Field(default=0.1, gt=0, lt=1)
    """The factor of each drop."""


class Constant(_Schedule):
    """The peak LR throughout, after the warm-up."""

    kind: Literal["constant"]


class OneCycle(Choice):
    """Up from `initial_factor` to the peak at `peak_at`, then down to `final_factor`, both along a cosine.

    Smith & Topin 2018; the defaults are those of torch's OneCycleLR. It is its own warm-up.
    """

    kind: Literal["one_cycle"]
    peak_at: float = Field(default=0.3, gt=0, lt=1)
    """Share of the span at which the LR peaks."""
    initial_factor: float = Field(default=0.04, gt=0, le=1)
    """Factor on the LR at the start."""
    final_factor: float = Field(default=4e-6, ge=0, le=1)
    """Factor on the LR at the end."""


def curve(options: Cosine | Linear | Step | Constant | OneCycle, span: float) -> LrCurve:
    """The curve over a span of that many epochs. Raises ValueError when the warm-up does not fit into it."""
    if isinstance(options, OneCycle):
        return LrCurve(
            "one_cycle",
            span,
            final_factor=options.final_factor,
            peak_at=options.peak_at,
            initial_factor=options.initial_factor,
        )
    made = LrCurve(
        shape=options.kind,
        epochs=span,
        warmup=options.warmup.length(span),
        warmup_factor=options.warmup.start_factor,
        final_factor=getattr(options, "final_factor", 0.0),
        per_epoch=options.per == "epoch",
    )
    if isinstance(options, Step):
        return replace(made, milestones=options.milestones, gamma=options.gamma)
    return made
