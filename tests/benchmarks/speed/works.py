"""What is measured: the works, the tools that do each of them, and the ratios that are to be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

RESNET, LITE = "torchvision/resnet18", "timm/tf_efficientnet_lite0"
FIT, WHOLE, STEP, MEMORY = "fit_seconds", "whole_seconds", "step_seconds", "peak_mib"
MEASURES = {FIT: "fit, s", WHOLE: "whole, s", STEP: "s per 1,000 images trained", MEMORY: "peak, MiB"}


@dataclass(frozen=True)
class Tool:
    """One way to do a work. `script` is a peer's file, None for ftcli, "" for a bare command.

    `recipe` are ftcli's overrides, KEY=VALUE; `job` changes what a peer is told.
    """

    name: str
    script: str | None = None
    recipe: tuple[str, ...] = ()
    job: Mapping[str, Any] = field(default_factory=dict)
    warm: bool = False
    """Measured on its second run, with what its first has left in the cache."""
    command: tuple[str, ...] = ()
    tuned: bool = False
    """channels_last, bf16 where the processor computes in it, a worker for each core."""
    in_bf16: bool = False
    """Not run where the processor only imitates bf16."""
    apart: bool = False
    """The runs of a study one by one, each a process of its own."""
    empties: bool = False
    """Each of these finds an empty cache, as if no other had been."""


NO_AUDIT = "data.audit=off"
"""No peer looks for leaks: the same work is a run that does not either."""
FTCLI = Tool("ftcli", recipe=(NO_AUDIT,))
FP32 = Tool("ftcli, fp32", recipe=(NO_AUDIT, "train.precision=fp32"))
BF16 = Tool("ftcli, bf16", recipe=(NO_AUDIT, "train.precision=bf16"), in_bf16=True)
"""As a recipe may ask, whatever bf16 does to the features."""
WARM = Tool("ftcli, again (warm cache)", recipe=(NO_AUDIT,), warm=True)
AUDITED = Tool("ftcli, with its audit")
VIEWS = Tool("ftcli, 4 views", recipe=(NO_AUDIT, "cache.views=4"))
COMPARE = Tool("ftcli compare", recipe=(NO_AUDIT,))
FOUR = Tool("four runs", recipe=(NO_AUDIT,), apart=True, empties=True)
FOUR_CACHED = Tool("four runs with one cache", recipe=(NO_AUDIT,), apart=True)
FASTAI = Tool("fastai", "fastai_learner.py")
LIGHTNING = Tool("Lightning", "lightning_finetuning.py")
TRAINER = Tool("HF Trainer", "hf_trainer.py")
TIMM = Tool("timm-style", "timm_style.py")
TUNED = Tool("timm-style, tuned", "timm_style.py", tuned=True)
PEERS = (FASTAI, LIGHTNING, TRAINER, TIMM, TUNED)


@dataclass(frozen=True)
class Goal:
    """The peer's measure divided by ours is to reach `commit`, and one day `moonshot`."""

    text: str
    ours: Tool
    peer: Tool
    commit: float
    moonshot: float
    measure: str = FIT


@dataclass(frozen=True)
class Work:
    """One row of work; `size`, `train`, `val` and `epochs` are those of the full form."""

    name: str
    title: str
    tools: tuple[Tool, ...]
    goals: tuple[Goal, ...] = ()
    kind: str = "probe"
    """probe, partial or full; `study`: four strategies; `help` only starts a program."""
    backbone: str = RESNET
    images: str = "photos"
    size: int = 224
    train: int = 400
    val: int = 100
    epochs: int = 10
    batch_size: int = 32
    augment: str = "none"
    lr: float = 1e-3
    repetitions: int | None = None
    """Fewer than the form's where one takes minutes, more where it takes a second."""
    samples_memory: bool = False

    @property
    def is_whole(self) -> bool:
        """Only the time of whole processes is told."""
        return self.kind in ("help", "study")

    @property
    def columns(self) -> tuple[str, ...]:
        """Measures to be shown: those that goals speak of, and the times."""
        asked = {goal.measure for goal in self.goals}
        return tuple(m for m in MEASURES if m in asked or (m in (FIT, WHOLE) and not self.is_whole))


def _probe_goals() -> tuple[Goal, ...]:
    probe = "probe, 10 epochs"
    return (
        Goal(f"{probe}, vs fastai", FTCLI, FASTAI, 50, 120),
        Goal(f"{probe}, vs timm-style", FTCLI, TIMM, 30, 80),
        Goal(f"{probe}, vs HF Trainer", FTCLI, TRAINER, 30, 80),
        Goal(f"{probe}, vs timm-style tuned", FTCLI, TUNED, 12, 30),
        Goal(f"{probe}, fp32 exact vs timm-style", FP32, TIMM, 9, 20),
        Goal(f"{probe}, whole process vs HF Trainer", FTCLI, TRAINER, 15, 40, WHOLE),
        Goal(f"{probe}, again with a warm cache vs timm-style", WARM, TIMM, 500, 1500),
    )


def _full_goals() -> tuple[Goal, ...]:
    title = "full fine-tuning, 1 epoch, vs"
    return tuple(Goal(f"{title} {peer.name}", FTCLI, peer, 3, 5) for peer in (TRAINER, FASTAI, TIMM))


WORKS = (
    Work("probe", "Linear probe", (FTCLI, FP32, BF16, WARM, AUDITED, *PEERS), _probe_goals(), lr=1e-2),
    Work(
        "last-stage",
        "Last stage and head, fixed views",
        (FTCLI, FP32, BF16, *PEERS),
        (Goal("last stage + head, fixed views, vs timm-style", FTCLI, TIMM, 5, 10),),
        kind="partial",
    ),
    Work(
        "last-stage-varied",
        "Last stage and head, light augmentation",
        (VIEWS, BF16, TIMM, TUNED),
        (Goal("last stage + head, 4 views, vs timm-style", VIEWS, TIMM, 3.5, 6),),
        kind="partial",
        augment="light",
    ),
    Work(
        "full",
        "Full fine-tuning of ResNet-18",
        (FTCLI, FP32, BF16, *PEERS),
        _full_goals(),
        kind="full",
        epochs=1,
        augment="light",
    ),
    Work(
        "efficientnet",
        "Full fine-tuning of EfficientNet-Lite0 (ImageNet weights)",
        (FTCLI, FP32, BF16, TIMM, TUNED),
        (Goal("EfficientNet-Lite0 step vs timm-style fp32", FTCLI, TIMM, 2.3, 5, STEP),),
        kind="full",
        backbone=LITE,
        epochs=1,
        augment="light",
    ),
    Work(
        "compare",
        "probe, lp_ft, full and scratch, 2 epochs each",
        (COMPARE, FOUR, FOUR_CACHED),
        (Goal("compare of four strategies vs four separate runs", COMPARE, FOUR, 1.5, 2.5, WHOLE),),
        kind="study",
        epochs=2,
    ),
    Work(
        "large-images",
        "Linear probe, JPEGs of 3000x2000",
        (FTCLI, TIMM),
        images="large",
        train=96,
        val=32,
        epochs=1,
    ),
    Work(
        "memory",
        "Peak memory of a linear probe",
        (FTCLI, TIMM),
        (Goal("peak memory, probe on 10,000 images, vs timm-style", FTCLI, TIMM, 1, 2, MEMORY),),
        images="fashion",
        train=10_000,
        val=500,
        epochs=1,
        repetitions=1,
        samples_memory=True,
    ),
    Work(
        "help",
        "`--help`",
        (
            Tool("ftcli", "", command=("{ours}", "-m", "ftcli", "--help")),
            Tool("accelerate", "", command=("{peers}/accelerate", "--help")),
            Tool("transformers", "", command=("{peers}/transformers", "--help")),
            Tool("torchrun", "", command=("{peers}/torchrun", "--help")),
        ),
        (Goal("ftcli --help vs accelerate --help", Tool("ftcli"), Tool("accelerate"), 20, 60, WHOLE),),
        kind="help",
        repetitions=5,
    ),
)


@dataclass(frozen=True)
class Form:
    """How large and how often. Repetitions are interleaved: every tool once, then every tool again."""

    name: str
    repetitions: int
    note: str


FULL = Form("full", 3, "")
QUICK = Form(
    "quick", 1, "small sizes and one repetition: a look, no measurement, and no goal is judged by it."
)
TINY = Form("tiny", 1, "as small as it goes: does everything run?")

_QUICK: dict[str, dict[str, Any]] = {
    "probe": {"tools": (FTCLI, FP32, WARM, FASTAI, LIGHTNING, TRAINER, TIMM, TUNED)},
    "last-stage": {"tools": (FTCLI, TIMM), "epochs": 5},
    "last-stage-varied": {"tools": (VIEWS, TIMM), "epochs": 8},
    "full": {"tools": (FTCLI, *PEERS)},
    "efficientnet": {"tools": (FTCLI, TIMM)},
    "large-images": {"train": 16, "val": 8},
    "help": {"repetitions": 3},
    "memory": {"train": 1000, "val": 100},
}


def works_of(form: Form) -> tuple[Work, ...]:
    """The works at the sizes of the form."""
    if form.name == FULL.name:  # with other repetitions it is still that form
        return WORKS
    if form.name == TINY.name:
        return tuple(_tiny(work) for work in WORKS)
    small = {"size": 112, "train": 96, "val": 48}
    return tuple(replace(work, **(small | _QUICK.get(work.name, {}))) for work in WORKS)


def _tiny(work: Work) -> Work:
    return replace(work, size=64, train=20, val=10, epochs=min(work.epochs, 2), batch_size=8)
