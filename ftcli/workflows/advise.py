"""The story of `ftcli plan` without a recipe: a task, told or looked at, becomes advice, an estimate and a recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace

import yaml

from ftcli.engine.network import Network
from ftcli.errors import UsageError
from ftcli.findings import Finding
from ftcli.planner.advice_recipe import Source, recipe_text
from ftcli.planner.advise import ASSUMED_CLASSES, Advice, Streams, recommend, streams_of
from ftcli.planner.compute import Compute, cheaper
from ftcli.planner.domain import parse_domain
from ftcli.planner.estimate import Images
from ftcli.planner.table_rows import Case
from ftcli.plans.estimate import Estimate
from ftcli.recipe.load import recipe_from
from ftcli.recipe.schema import Recipe
from ftcli.workflows.estimate import estimate_of
from ftcli.workflows.open_network import open_network


@dataclass(frozen=True)
class Task:
    """What there is to learn from. `stretch` and `read_seconds` are those of planner.estimate.Images."""

    case: Case
    streams: Streams
    source: Source
    stretch: float = 1.0
    read_seconds: float | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class AdviseResult:
    """`recipe` is the text of a recipe that validates."""

    advice: Advice
    estimate: Estimate
    recipe: str


def task_told(num_images: int, domain: str, num_classes: int | None = None) -> Task:
    """Raises UsageError for sizes that no data set has and for unknown domains."""
    if num_images < 2:
        raise UsageError(
            f"{num_images:,} images are no data set", where="--dataset-size", remedy="give 2 or more"
        )
    if num_classes is not None and not 2 <= num_classes <= num_images:
        told = f"{num_classes:,} classes do not fit {num_images:,} images"
        raise UsageError(told, where="--classes", remedy="at least 2 classes, at least one image in each")
    case = Case(num_images, parse_domain(domain), num_classes)
    return Task(case, streams_of(num_images), Source())


def advise(task: Task, backbone: str, compute: Compute) -> AdviseResult:
    """The advice of the tables; the most that fits where there are only so many minutes.

    Raises RecipeError and ModelError for the backbone.
    """
    task = replace(task, source=replace(task.source, device=compute.device))
    network = _network(task, backbone)
    advised = _estimated(recommend(task.case, network.layer_map, task.streams), task, network)
    if compute.minutes is None or _fits(advised.estimate, compute.minutes):
        return advised
    return _within(advised, compute.minutes, task, network)


def _network(task: Task, backbone: str) -> Network:
    """With random weights, for what is counted and timed does not depend on them."""
    content = {
        "data": {"kind": "digits", "image_size": task.source.image_size},
        "model": {"backbone": backbone, "weights": "none"},
        "strategy": "full",
    }
    return open_network(recipe_from(content), task.case.num_classes or ASSUMED_CLASSES)


def _estimated(advice: Advice, task: Task, network: Network) -> AdviseResult:
    advice = replace(advice, findings=(*task.findings, *advice.findings))
    text = recipe_text(advice, task.source)
    recipe: Recipe = recipe_from(yaml.safe_load(text))
    classes = tuple(f"class {number}" for number in range(task.case.num_classes or ASSUMED_CLASSES))
    streams = task.streams
    images = Images(streams.train, streams.val, streams.test, task.stretch, task.read_seconds)
    return AdviseResult(advice, estimate_of(recipe, network, classes, images), text)


def _fits(found: Estimate, minutes: float) -> bool:
    return found.seconds is None or found.seconds <= 60 * minutes


def _within(advised: AdviseResult, minutes: float, task: Task, network: Network) -> AdviseResult:
    """Less and less, until it fits; the head alone, with a warning, where nothing does."""
    too_long = f"{_minutes(advised)} to train {advised.advice.chosen.trains}, and {minutes:g} are there"
    less = advised
    for row in cheaper(advised.advice.chosen):
        shortened = f"it would take about {too_long}: {row.trains} instead"
        advice = recommend(task.case, network.layer_map, task.streams, row, shortened)
        less = _estimated(advice, task, network)
        if _fits(less.estimate, minutes):
            return less
    message = f"even the head takes about {_minutes(less)}, and {minutes:g} are there"
    remedy = "set data.image_size lower, or choose a smaller backbone with --backbone"
    warning = Finding("warning", "--compute", message, remedy, "compute-too-short")
    return replace(less, advice=replace(less.advice, findings=(warning, *less.advice.findings)))


def _minutes(result: AdviseResult) -> str:
    assert result.estimate.seconds is not None
    minutes = result.estimate.seconds / 60
    return f"{minutes:,.0f} minutes" if minutes >= 10 else f"{max(minutes, 0.1):.1f} minutes"
