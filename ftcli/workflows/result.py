"""What a training run comes to: the content of summary.json and of `ftcli train --json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ftcli.events import Scores
from ftcli.findings import Finding
from ftcli.plans.compiling import Compile
from ftcli.plans.depthwise import Depthwise
from ftcli.plans.folding import FoldBN
from ftcli.plans.forgetting import Forgetting
from ftcli.plans.profile import Profile
from ftcli.plans.samples import Sample
from ftcli.plans.signals import StageDrift
from ftcli.plans.training_plan import Crops, Precision

VerdictKind = Literal["gain", "no_clear_gain", "below_floor", "probe_only", "scratch"]


@dataclass(frozen=True)
class Proof:
    """Over all phases: how many tensors were frozen in at least one, and which of them moved while they were."""

    checked: int
    changed: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Reuse:
    """What keeping the frozen part has spared: `read` images in `instead` seconds, had each been computed anew."""

    computed: int
    """Images (and views of them) that went through the frozen part, in `seconds`."""
    seconds: float
    read: int
    """Images that were taken from what was kept, over all epochs and evaluations."""
    instead: float


@dataclass(frozen=True)
class TrainResult:
    """floor and ceiling are measured on validation, test once at the end; null where they do not apply.

    `floor` is the linear probe, `ceiling` the epoch to keep of those in which the backbone trained; of a language
    model the network as it was opened, and the best epoch.
    """

    run: str
    backbone: str
    strategy: str
    classes: tuple[str, ...]
    floor: Scores | None
    ceiling: Scores | None
    test: Scores
    verdict: str
    verdict_kind: VerdictKind
    frozen: Proof
    findings: tuple[Finding, ...]
    epochs_run: int
    best_epoch: int
    """The epoch (from 0) of best.safetensors."""
    best_phase: str
    weights: str
    """Path of best.safetensors."""
    predict_command: str
    seconds: float
    """From reading the first image to the last result, imports left out."""
    test_report: dict[str, Any] | None = None
    """The test images in full: by class, confusion matrix, AUROC, calibration, 95% intervals. See engine/metrics;
    None in runs from before it was measured."""
    test_without_leaks: Scores | None = None
    """On the test images that the audit found in no form among the training images; None where those are all."""
    val: Scores | None = None
    """Of best.safetensors on validation: what chose it. None in runs from before it was kept."""

    reuse: Reuse | None = None
    """None where nothing was kept, and in runs from before there was a cache."""
    profile: Profile | None = None
    """Where the time went; None where nobody asked."""
    precision: Precision | None = None
    """In which training and evaluation computed; None in runs from before it was kept here."""
    views: int = 0
    """How many augmented views of each image came again and again, at most in a phase; 0: none, each was new."""
    depthwise: Depthwise = "whole"
    """How depthwise convolutions learned: in pieces the last bits are others."""
    fold_bn: FoldBN = "apart"
    """How frozen batch norms were computed: folded, the last bits are others; a finding tells where they were not."""
    compile: Compile = "eager"
    """How images went through the frozen part that was kept: compiled, the last bits are others; a finding tells where
    that failed."""
    peak_memory: int | None = None
    """The most bytes held at once, of the process that ended the run or of its GPU: engine/peak_memory. None where the
    system does not tell, and in runs from before it was measured."""

    floor_seconds: float = 0.0
    """Of `seconds` those that the probe for the floor took, with what was kept on its way for the phases that follow;
    next to none where another run of a study had it."""
    drift: tuple[StageDrift, ...] = ()
    """How far each stage of best.safetensors lies from where it began; empty in runs from before it was measured.
    metrics.jsonl has it of every epoch, in `signals`."""

    samples: tuple[Sample, ...] = ()
    """What a language model made of prompts, before and after; empty where there are no prompts, or classes."""
    forgetting: Forgetting | None = None
    """What the old classifier has lost; None where `forgetting` of the recipe does not ask."""

    augment: tuple[str, ...] = ()
    """How training images were varied, or what a frozen part made of them, by name; empty in runs from before it was
    kept here."""
    crops: Crops = "image"
    """Whether training images were cropped one by one, or a batch at once on the device."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
