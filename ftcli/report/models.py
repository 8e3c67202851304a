"""The list of backbones and the card of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.tokenization import Tokenization
from ftcli.report import numbers
from ftcli.report.layout import add_columns, heading, labelled, table
from ftcli.report.safe_text import plain

if TYPE_CHECKING:
    from ftcli.plans.inputs import Inputs
    from ftcli.plans.preprocessing import Preprocessing
    from ftcli.workflows.backbone_card import BackboneCard, SourceCoverage
    from ftcli.workflows.models import ListedBackbone


def backbone_lines(backbones: Sequence[ListedBackbone]) -> list[str]:
    """One line a backbone, for grep: its name, and the tag of its weights or a dash."""
    width = max((len(backbone.name) for backbone in backbones), default=0)
    return [f"{backbone.name:{width}}  {backbone.weights or '-'}" for backbone in backbones]


def backbone_views(card: BackboneCard) -> list[RenderableType]:
    """The facts, then the stages by the names that a recipe uses."""
    return [heading(card.name), labelled(_facts(card)), Text(), _stages(card)]


def coverage_view(coverages: Sequence[SourceCoverage]) -> RenderableType:
    """How many of each library open; then those that do not, a line each."""
    counts, refused = table(), table()
    add_columns(counts, [("source", "<"), ("open", ">"), ("of", ">"), ("share", ">")])
    add_columns(refused, [("not opened", "<")])
    refused.add_column(Text("because"), overflow="fold")
    for coverage in coverages:
        share = numbers.share(coverage.opens / coverage.total)
        counts.add_row(coverage.source, numbers.count(coverage.opens), numbers.count(coverage.total), share)
        for name, reason in coverage.exceptions.items():
            refused.add_row(plain(f"{coverage.source}/{name}"), plain(reason))
    return Group(counts, Text(), refused)


def _facts(card: BackboneCard) -> list[tuple[str, RenderableType]]:
    values = (
        ("parameters", f"{numbers.count(card.parameters)} without the head"),
        ("head", f"at {', '.join(card.heads)}, {numbers.count(card.features)} features"),
        ("weights", card.weights or "none; give a file, or train from scratch"),
        ("tags", _tags(card)),
        *_inputs(card.preprocessing),
    )
    return [(label, plain(value)) for label, value in values if value]


def _inputs(inputs: Inputs) -> tuple[tuple[str, str], ...]:
    if isinstance(inputs, Tokenization):
        return (("texts", f"cut after {inputs.max_length} tokens, of a vocabulary of {inputs.vocabulary:,}"),)
    normalised = f"mean {_channels(inputs.mean)}, std {_channels(inputs.std)}"
    return ("images", _images(inputs)), ("normalise", normalised)


def _images(images: Preprocessing) -> str:
    """How an image becomes a square of the network's size."""
    verb = "squash" if images.fit == "squash" else "resize"
    side = " the longer side" if images.fit == "pad" else ""
    steps = [f"{verb}{side} to {images.resize_size} ({images.interpolation})"]
    if images.fit == "pad":
        steps.append(f"pad to {images.image_size}")
    if images.fit == "crop" or images.resize_size != images.image_size:
        steps.append(f"crop {images.image_size}")
    return ", ".join([*steps, "channels as BGR"] if images.bgr else steps)


def _tags(card: BackboneCard) -> str:
    """Every set of weights and how to name one; nothing where there is no choice."""
    if len(card.tags) < 2:
        return ""
    architecture = card.name.partition(".")[0]
    return f"{', '.join(card.tags)}; name one as {architecture}.TAG"


def _channels(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3g}" for value in values)


def _stages(card: BackboneCard) -> RenderableType:
    stages = table()
    add_columns(stages, [("stage", "<"), ("layers", ">"), ("parameters", ">"), ("BatchNorm layers", ">")])
    for stage in card.stages:
        norms = numbers.count(stage.batch_norms) if stage.batch_norms else "-"
        stages.add_row(plain(stage.name), str(stage.layers), numbers.count(stage.parameters), norms)
    return stages
