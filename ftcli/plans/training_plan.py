"""Everything a run will do, decided before the first batch: phases, totals, and why."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ftcli.findings import Finding
from ftcli.plans.compiling import Compile
from ftcli.plans.depthwise import Depthwise
from ftcli.plans.folding import FoldBN
from ftcli.plans.inputs import Inputs, is_packed
from ftcli.plans.layer_map import LayerMap
from ftcli.plans.norm_policy import NormPolicy
from ftcli.plans.phase import Phase, Plateau

Precision = Literal["fp32", "bf16", "fp16"]
Sampler = Literal["shuffle", "balanced", "weighted"]
Crops = Literal["image", "batch"]
Floor = Literal["probe", "itself", "before", "none"]
OnNonFinite = Literal["stop", "rollback"]


@dataclass(frozen=True)
class Machine:
    """What the machine at hand can do, as far as a plan depends on it."""

    device: Literal["cpu", "cuda"]
    bf16: bool = False
    """Whether its bf16 is of the hardware, and so faster than fp32."""


@dataclass(frozen=True)
class Bf16Effect:
    """How far bf16 moves the features that enter the head, on some of the training images."""

    error: float
    """|bf16 - fp32| over |fp32|, all features of all images together; NaN where one of the two is not finite."""
    num_images: int
    finite_in_fp32: bool = True

    @property
    def finite(self) -> bool:
        return math.isfinite(self.error)


@dataclass(frozen=True)
class OptimizerSpec:
    """`settings` are the keyword arguments of the optimizer of that kind, LR and weight decay apart."""

    kind: str
    lr: float
    weight_decay: float
    settings: Mapping[str, Any] = field(default_factory=dict)


CheckpointRule = Literal["best", "last"]


@dataclass(frozen=True)
class ObjectiveSpec:
    """What training makes small. `settings` are those of its kind."""

    kind: str
    weighting: Literal["none", "balanced", "given"] = "none"
    class_weights: tuple[float, ...] | None = None
    """In the order of the classes; None without weights, and for balanced ones where the data is not at hand."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    multi_label: bool = False
    """Whether each class is judged by itself (sigmoid), for an example may have several, or they exclude each other."""


@dataclass(frozen=True)
class Decision:
    """Something the recipe left to the plan: what was chosen, and why."""

    what: str
    value: str
    why: str


ALWAYS_BEFORE = {"compile": "eager", "crops": "image"}
"""Fields of a plan that runs of an earlier version have not, and what they did."""


@dataclass(frozen=True)
class TrainingPlan:
    layer_map: LayerMap
    classes: tuple[str, ...]
    num_train: int
    data_known: bool
    """False where the data was not at hand: classes and num_train are then assumed."""
    preprocessing: Inputs
    pretrained: bool
    strategy: str
    phases: tuple[Phase, ...]
    epochs: int
    batch_size: int
    accumulation: int
    optimizer: OptimizerSpec
    schedule: str
    norm: NormPolicy
    augment: Mapping[str, Any]
    """The options of the augment section, as resolved."""
    label_smoothing: float
    clip_norm: float | None
    precision: Precision
    machine: Machine
    checkpoint_metric: str
    early_stopping: Plateau | None
    floor: Floor
    """Where the linear probe comes from: a probe before the first phase, the run itself, or nowhere. before: it is no
    probe but the network as it was opened, of a language model."""
    seed: int
    decisions: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()
    class_counts: tuple[int, ...] | None = None
    """Training examples of each class; None where they are not known."""
    transforms: tuple[str, ...] = ()
    """What the augment section comes to, by the names of torchvision."""
    objective: ObjectiveSpec = ObjectiveSpec("cross_entropy")
    sampler: Sampler = "shuffle"
    depthwise: Depthwise = "whole"
    """How depthwise convolutions learn."""
    deterministic: bool = False
    """Whether CUDA is held to kernels that give the same bits each time."""
    fold_bn: FoldBN = "apart"
    """How batch norms below the first layer that trains are computed."""
    compile: Compile = "eager"
    """How images go through what lies below the first layer that trains, where that is kept."""
    crops: Crops = "image"
    """Whether training images are cropped one by one, or a batch at once on the device."""
    cuda_graphs: bool = False
    """Whether the steps of a head over what is kept are recorded, where there is a GPU: the same bits."""
    on_non_finite: OnNonFinite = "stop"
    """What follows NaN or infinity in a loss, a gradient, a weight or a buffer."""
    checkpoint_rule: CheckpointRule = "best"
    """Which epoch is kept: that of the best score; or the last, unless it is more than two standard errors below."""
    tokens: float | None = None
    """Of a text in the mean, cut where it is too long, or of a sequence; None of images, and where no text was read."""

    @property
    def num_outputs(self) -> int:
        """Logits of an example; of a language model those at each place."""
        inputs = self.preprocessing
        return inputs.vocabulary if is_packed(inputs) else len(self.classes)  # type: ignore[union-attr]

    @property
    def batches_per_epoch(self) -> int:
        return len(batch_bounds(self.num_train, self.batch_size))

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps: batches, `accumulation` of them at a time."""
        return -(-self.batches_per_epoch // self.accumulation)

    def with_findings(self, findings: tuple[Finding, ...]) -> TrainingPlan:
        return replace(self, findings=findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for plan.json: sets become sorted lists."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=_plain))
        return plain

    def fingerprint(self) -> str:
        """SHA-256 of everything that decides the numbers of a run; advice and reasons left out, and what is as it was
        before it could be chosen: runs of then go on.

        What the machine can do in bf16 is a reason: `precision` is what came of it, and a run may go on elsewhere.
        """
        content = self.to_dict()
        del content["machine"]["bf16"]
        content["layer_map"]["backbone"] = _without_place(self.layer_map.backbone)
        for advice in ("findings", "decisions", "tokens", "cuda_graphs"):
            del content[advice]
        for name, before in ALWAYS_BEFORE.items():
            if content[name] == before:
                del content[name]
        for phase in content["phases"]:
            del phase["prefix"]["cost"]  # what follows from it, to keep or not, is there
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _without_place(backbone: str) -> str:
    """A backbone in a folder is the same one from every directory: what it is made of is in the layer map."""
    source, _, name = backbone.partition("/")
    in_folder = name.startswith((".", "/", "~", "local-dir:"))
    return f"{source}/{name.rstrip('/').rpartition('/')[2]}" if in_folder else backbone


def batch_bounds(num_examples: int, batch_size: int) -> tuple[tuple[int, int], ...]:
    """Start and end of every batch of an epoch. A lone last example joins the batch before it:

    BatchNorm cannot take the variance of one value."""
    starts = list(range(0, num_examples, batch_size))
    if len(starts) > 1 and num_examples - starts[-1] == 1:
        starts.pop()
    return tuple(zip(starts, [*starts[1:], num_examples], strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no place in a plan")
