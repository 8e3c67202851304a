"""Performs a case and reads what was told of it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ftcli.errors import FrozenTensorChanged, FtcliError, NonFiniteError
from ftcli.events import EpochDone, Event, Noticed
from ftcli.findings import Finding
from ftcli.recipe.schema import Recipe
from ftcli.workflows.train import train
from tests.benchmarks.monitors import faults
from tests.benchmarks.monitors.cases import Case
from tests.benchmarks.monitors.images import Images, write
from tests.toys import RESNET, ignore

ALARMS = {
    "overfits",
    "nothing-learned",
    "validation-noisy",
    "validation-unstable",
    "below-linear-probe",
    "collapsed-to-one-class",
    "loss-diverges",
    "unfreezing-hurts",
    "frozen-tensor-moved",
    "rolled-back",
    "predicts-one-class",
    "no-better-than-majority",
    "non-finite",
}


@dataclass(frozen=True)
class Bench:
    """Where runs go, and the seed of all that is drawn."""

    folder: Path
    seed: int
    fashion: Path | None = None

    def images(self, images: Images) -> Path:
        return write(images, self.folder / "images", self.seed, self.fashion)

    def has(self, case: Case) -> bool:
        """The images it is built of."""
        return case.images.source == "digits" or self.fashion is not None

    @cached_property
    def pretrained(self) -> Path:
        """A small network that has learned digits which no case trains on."""
        images = self.images(Images(per_class=30, first=120))
        out = self.folder / "pretrained"
        made = _recipe(
            images,
            RESNET,
            "none",
            self.seed + 1000,
            {
                "strategy": "scratch",
                "optimizer": {"kind": "adamw", "lr": 3e-3},
                "train": {"epochs": 10, "batch_size": 16},
            },
        )
        train(made, out=out, resume=False, listener=ignore)
        return out / "best.safetensors"

    def weights(self, name: str) -> str:
        if name == "pretrained":
            return str(self.pretrained)
        return str(faults.with_dead_stem(self.pretrained)) if name == "dead" else name


@dataclass(frozen=True)
class Outcome:
    case: Case
    told: tuple[tuple[int, Finding], ...]
    """With the last epoch that was over."""
    seconds: float

    @property
    def right(self) -> bool:
        """The finding that was to be told, at its place; of a run that is well none."""
        if not self.case.rule:
            return not self.told
        return any(f.rule == self.case.rule and self.case.where in f.where for _, f in self.told)

    def line(self) -> str:
        told = "; ".join(f"{f.rule} ({f.where}) at {epoch}" for epoch, f in self.told) or "-"
        return f"{'ok ' if self.right else 'BAD'} {self.case.row:17} {self.case.how:45} {told}  [{self.seconds:.0f} s]"


def perform(case: Case, bench: Bench) -> Outcome:
    """The findings of monitors; errors of the run that are findings count as such."""
    told: list[tuple[int, Finding]] = []
    epoch = -1

    def listen(event: Event) -> None:
        nonlocal epoch
        if isinstance(event, EpochDone):
            epoch = event.epoch
        if isinstance(event, Noticed) and event.finding.rule in ALARMS:
            told.append((epoch, event.finding))

    weights = bench.weights(case.weights)
    made = _recipe(bench.images(case.images), case.backbone, weights, bench.seed, case.sections)
    out = bench.folder / f"{case.row} {case.how}".replace("/", " ")
    started = time.perf_counter()
    with faults.at_work(case.fault):
        try:
            train(made, out=out, resume=False, listener=listen)
        except NonFiniteError as error:
            told.append((epoch, _as_finding(error)))
        except FrozenTensorChanged:
            pass
    return Outcome(case, tuple(told), time.perf_counter() - started)


def _as_finding(error: FtcliError) -> Finding:
    return Finding("error", error.where or "", error.what, error.remedy or "", "non-finite")


def _recipe(images: Path, backbone: str, weights: str, seed: int, sections) -> Recipe:  # type: ignore[no-untyped-def]
    """On a third of the images the run validates: few would make every epoch jump."""
    data = {
        "kind": "folder",
        "path": str(images),
        "image_size": 32,
        "audit": "off",
        "split": {"val": 0.3, "test": 0.1},
    }
    content = {
        "name": "case",
        "seed": seed,
        "model": {"backbone": backbone, "weights": weights},
        "augment": "none",
        "runtime": {"device": "cpu"},
        **sections,
        "data": data | dict(sections.get("data", {})),
    }
    return Recipe.model_validate_json(json.dumps(content))
