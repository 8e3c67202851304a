"""Runs that are well, and runs that are not: what is built, and the finding it must have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.monitors import faults
from tests.benchmarks.monitors.faults import Fault
from tests.benchmarks.monitors.images import Images

RESNET, EFFICIENTNET, VIT = "timm/test_resnet", "timm/test_efficientnet", "timm/test_vit"


@dataclass(frozen=True)
class Case:
    """`row` of the table of signals; `rule` and `where` of the finding, both empty where nothing is to be said.

    `weights`: "pretrained" (on other images of the same source), "none", or "dead" (pretrained, the stem cut off).
    """

    row: str
    how: str
    rule: str = ""
    where: str = ""
    images: Images = field(default_factory=Images)
    weights: str = "pretrained"
    backbone: str = RESNET
    sections: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault = faults.none


def epochs(count: int, **more: Any) -> dict[str, Any]:
    return {"epochs": count, "batch_size": 16, **more}


def adamw(lr: float) -> dict[str, Any]:
    return {"kind": "adamw", "lr": lr}


def sgd(lr: float) -> dict[str, Any]:
    return {"kind": "sgd", "lr": lr}


def well(how: str, **values: Any) -> Case:
    return Case("well", how, **values)


def lp_ft(head_epochs: int) -> dict[str, Any]:
    return {"kind": "lp_ft", "head_epochs": head_epochs}


CLOTHES = Images("clothes", per_class=60)
FEW = Images(classes=4, per_class=40)
NOT_PRETRAINED = {"weights": "none"}

HEALTHY = (
    well("linear probe", sections={"strategy": "feature_extraction", "train": epochs(12)}),
    well(
        "linear probe, SGD",
        sections={"strategy": "feature_extraction", "optimizer": sgd(0.05), "train": epochs(12)},
    ),
    well(
        "linear probe, 4 classes, clothes",
        images=Images("clothes", classes=4, per_class=60),
        sections={"strategy": "feature_extraction", "train": epochs(12)},
    ),
    well("full, AdamW 1e-3", sections={"strategy": "full", "optimizer": adamw(1e-3), "train": epochs(12)}),
    well(
        "full, uniform LR 1e-3",
        sections={"strategy": "full", "layer_lr": "uniform", "optimizer": adamw(1e-3), "train": epochs(12)},
    ),
    well(
        "full, clothes",
        images=CLOTHES,
        sections={"strategy": "full", "optimizer": adamw(2e-3), "train": epochs(12)},
    ),
    well("full, SGD", sections={"strategy": "full", "optimizer": sgd(0.02), "train": epochs(12)}),
    well(
        "full, standard augmentation",
        sections={"strategy": "full", "augment": {"kind": "standard", "flip": False}, "train": epochs(24)},
    ),
    well("full, BatchNorm trained", sections={"strategy": "full", "norm": "train", "train": epochs(12)}),
    well("full, BatchNorm frozen", sections={"strategy": "full", "norm": "freeze", "train": epochs(12)}),
    well("LP-FT", sections={"strategy": lp_ft(4), "train": epochs(12)}),
    well(
        "LP-FT, clothes",
        images=CLOTHES,
        sections={"strategy": lp_ft(4), "optimizer": adamw(2e-3), "train": epochs(12)},
    ),
    well("LP-FT, 4 classes", images=FEW, sections={"strategy": lp_ft(4), "train": epochs(12)}),
    well("gradual", sections={"strategy": {"kind": "gradual", "to_stage": "layer3"}, "train": epochs(12)}),
    well(
        "partial, last stage",
        sections={"strategy": {"kind": "partial", "last_stages": 1}, "train": epochs(12)},
    ),
    well(
        "partial, mixup",
        sections={
            "strategy": {"kind": "partial", "last_stages": 2},
            "augment": {"kind": "light", "flip": False, "mix": "mixup"},
            "train": epochs(12),
        },
    ),
    well(
        "scratch",
        weights="none",
        sections={"strategy": "scratch", "optimizer": adamw(3e-3), "train": epochs(12)},
    ),
    well(
        "scratch, clothes",
        images=CLOTHES,
        weights="none",
        sections={"strategy": "scratch", "optimizer": adamw(3e-3), "train": epochs(12)},
    ),
    well(
        "scratch, EfficientNet",
        weights="none",
        backbone=EFFICIENTNET,
        images=Images(per_class=60),
        sections={"strategy": "scratch", "optimizer": adamw(5e-3), "train": epochs(12)},
    ),
    well(
        "scratch, ViT",
        weights="none",
        backbone=VIT,
        images=Images(classes=4, per_class=80),
        sections={"strategy": "scratch", "optimizer": adamw(1e-3), "train": epochs(12)},
    ),
)

NOISY_LABELS = Images(per_class=30, wrong=0.35)
SHUFFLED = Images(per_class=40, wrong=1.0)

BROKEN = (
    Case(
        "overfits",
        "35% wrong labels, full at 3e-3, 24 epochs",
        "overfits",
        "train.epochs",
        NOISY_LABELS,
        sections={"strategy": "full", "layer_lr": "uniform", "optimizer": adamw(3e-3), "train": epochs(24)},
    ),
    Case(
        "overfits",
        "40% wrong labels, 24 images a class, from scratch, 30 epochs",
        "overfits",
        "train.epochs",
        Images("clothes", per_class=24, wrong=0.4),
        weights="none",
        sections={"strategy": "scratch", "optimizer": adamw(5e-3), "train": epochs(30)},
    ),
    Case(
        "neither improves",
        "LR 1e-7, the head alone",
        "nothing-learned",
        "optimizer.lr",
        sections={"strategy": "feature_extraction", "optimizer": adamw(1e-7), "train": epochs(8)},
    ),
    Case(
        "neither improves",
        "LR 1e-7, from scratch",
        "nothing-learned",
        "optimizer.lr",
        weights="none",
        sections={"strategy": "scratch", "optimizer": adamw(1e-7), "train": epochs(8)},
    ),
    Case(
        "neither improves",
        "labels drawn by lot, full",
        "nothing-learned",
        "data",
        SHUFFLED,
        sections={"strategy": "full", "train": epochs(8)},
    ),
    Case(
        "neither improves",
        "labels drawn by lot, linear probe",
        "nothing-learned",
        "data",
        SHUFFLED,
        sections={"strategy": "feature_extraction", "train": epochs(8)},
    ),
    Case(
        "neither improves",
        "stem without output, frozen",
        "nothing-learned",
        "strategy",
        weights="dead",
        sections={"strategy": "feature_extraction", "train": epochs(8)},
    ),
    Case(
        "neither improves",
        "stem without output, the last stage trains",
        "nothing-learned",
        "strategy",
        weights="dead",
        sections={"strategy": {"kind": "partial", "last_stages": 1}, "train": epochs(8)},
    ),
    Case(
        "NaN",
        "LR 1e6, SGD, no clipping",
        "non-finite",
        "",
        sections={
            "strategy": "full",
            "optimizer": sgd(10),
            "layer_lr": "uniform",
            "schedule": {"kind": "constant", "warmup": 0},
            "norm": "freeze",
            "train": epochs(6, clip_norm=None),
        },
    ),
    Case(
        "NaN",
        "the same, rolled back",
        "rolled-back",
        "optimizer.lr",
        sections={
            "strategy": "full",
            "optimizer": sgd(10),
            "layer_lr": "uniform",
            "schedule": {"kind": "constant", "warmup": 0},
            "norm": "freeze",
            "train": epochs(6, clip_norm=None, on_non_finite="rollback"),
        },
    ),
    Case(
        "validation jumps",
        "12 images validate, 4 classes",
        "validation-noisy",
        "data.split.val",
        Images("clothes", classes=4, per_class=20),
        sections={
            "strategy": "full",
            "optimizer": adamw(5e-3),
            "layer_lr": "uniform",
            "schedule": "constant",
            "data": {"split": {"val": 0.15, "test": 0.2}},
            "train": epochs(16),
        },
    ),
    Case(
        "validation jumps",
        "10 images validate, from scratch",
        "validation-noisy",
        "data.split.val",
        Images("clothes", classes=5, per_class=20),
        weights="none",
        sections={
            "strategy": "scratch",
            "optimizer": adamw(1e-2),
            "schedule": "constant",
            "data": {"split": {"val": 0.1, "test": 0.2}},
            "train": epochs(16),
        },
    ),
    Case(
        "validation jumps",
        "every second evaluation is dark",
        "validation-unstable",
        "data",
        sections={"strategy": "full", "train": epochs(12)},
        fault=faults.flickers(0.25),
    ),
    Case(
        "validation jumps",
        "every second evaluation is darker, BatchNorm trained, from scratch",
        "validation-unstable",
        "norm",
        weights="none",
        sections={"strategy": "scratch", "optimizer": adamw(3e-3), "train": epochs(12)},
        fault=faults.flickers(0.4),
    ),
    Case(
        "below the probe",
        "LR 0.03 everywhere",
        "below-linear-probe",
        "optimizer.lr",
        sections={
            "strategy": "full",
            "layer_lr": "uniform",
            "norm": "freeze",
            "optimizer": adamw(0.03),
            "train": epochs(4),
        },
    ),
    Case(
        "below the probe",
        "LR 1e-6, 3 epochs",
        "below-linear-probe",
        "optimizer.lr",
        sections={"strategy": "full", "optimizer": adamw(1e-6), "train": epochs(3)},
    ),
    Case(
        "below the probe",
        "BatchNorm's statistics of the last two images",
        "below-linear-probe",
        "norm",
        sections={
            "strategy": lp_ft(10),
            "norm": "train",
            "optimizer": adamw(1e-3),
            "train": epochs(12) | {"batch_size": 2},
        },
        fault=faults.statistics_of_the_last_batch,
    ),
    Case(
        "one class",
        "LR 0.3 after LP",
        "collapsed-to-one-class",
        "optimizer.lr",
        sections={
            "strategy": lp_ft(3),
            "layer_lr": "uniform",
            "norm": "freeze",
            "optimizer": adamw(0.3),
            "schedule": "constant",
            "train": epochs(8),
        },
    ),
    Case(
        "one class",
        "LR 1 from the first step, SGD",
        "collapsed-to-one-class",
        "optimizer.lr",
        sections={
            "strategy": "full",
            "layer_lr": "uniform",
            "norm": "freeze",
            "optimizer": sgd(1.0),
            "schedule": "constant",
            "train": epochs(8),
        },
    ),
    Case(
        "frozen moved",
        "a running mean in the frozen part",
        "frozen-tensor-moved",
        "layer1.0.bn1.running_mean",
        sections={"strategy": "feature_extraction", "cache": {"prefix": "off"}, "train": epochs(3)},
        fault=faults.moves("layer1.0.bn1.running_mean"),
    ),
    Case(
        "frozen moved",
        "a weight below the trained stage",
        "frozen-tensor-moved",
        "layer2.0.conv1.weight",
        sections={
            "strategy": {"kind": "partial", "last_stages": 1},
            "cache": {"prefix": "off"},
            "train": epochs(3),
        },
        fault=faults.moves("layer2.0.conv1.weight"),
    ),
)
