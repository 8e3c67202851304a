"""Advice from the size of a data set and its domain: which rows fire, which one wins, what follows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ftcli.components import norm
from ftcli.findings import Finding
from ftcli.planner.backbone_sizes import SIZES
from ftcli.planner.cautions import cautions
from ftcli.planner.domain import FAR_FROM
from ftcli.planner.table_rows import Case, Row, Strategy, Table
from ftcli.planner.tables import TRUSTED
from ftcli.planner.training_size import training_size
from ftcli.planner.what_if import changes
from ftcli.plans.norm_policy import NormPolicy

HELD_OUT = 0.15
"""Share of the images that validation keeps, and as many the test: the recipe's default split."""
ASSUMED_CLASSES = 10
"""For counting a head when the number of classes is not given."""
_EPOCHS_FACTOR: dict[Strategy, int] = {"feature_extraction": 2, "scratch": 6}
"""A head on features that are computed once costs little to train; random weights need many epochs."""
_GROUNDS = {
    "B": "knows the images per class, which say more than totals",
    "A": "has finer steps than D, and unlike C looks at the domain",
    "D": "looks at the domain",
}


@dataclass(frozen=True)
class Fired:
    """A table, its row that fired (None: none did), and whether that allows what the winner advises."""

    table: str
    title: str
    row: str | None
    trains: str | None
    agrees: bool


@dataclass(frozen=True)
class Advice:
    """`tables` in the order of trust. `trainable` is None for a backbone whose size is not known on paper."""

    case: Case
    backbone: str
    chosen: Row
    why: str
    tables: tuple[Fired, ...]
    num_train: int
    trainable: int | None
    norm: NormPolicy
    batch_size: int
    epochs: int
    head_epochs: int
    findings: tuple[Finding, ...]
    changes: tuple[str, ...]
    """What would change the answer."""

    @property
    def flip(self) -> bool:
        """Whether mirror images are training images too."""
        return self.case.domain.scenario != "chest-xray"

    def to_dict(self) -> dict[str, Any]:
        """The content of `ftcli plan --json`."""
        case, chosen = self.case, self.chosen
        return {
            "num_images": case.num_images,
            "num_classes": case.num_classes,
            "images_per_class": case.images_per_class,
            "num_train": self.num_train,
            "domain": {"kind": case.domain.word, **asdict(case.domain), "far_from": FAR_FROM},
            "backbone": self.backbone,
            "strategy": chosen.strategy,
            "trains": chosen.trains,
            "last_stages": chosen.last_stages,
            "trainable": self.trainable,
            "lr": asdict(chosen.rates),
            "head": "linear",
            "norm": asdict(self.norm),
            "augment": {"kind": chosen.augment, "flip": self.flip and chosen.augment != "none"},
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "chosen": {"table": chosen.table, "row": chosen.text, "why": self.why},
            "tables": [asdict(fired) for fired in self.tables],
            "findings": [asdict(finding) for finding in self.findings],
            "changes": list(self.changes),
        }


def recommend(case: Case, backbone: str) -> Advice:
    """Pure: the same case, the same advice."""
    table, chosen = next((t, row) for t in TRUSTED if (row := t.fired(case)))
    tables = tuple(_fired(table, case, chosen) for table in TRUSTED)
    num_val = round(case.num_images * HELD_OUT)
    num_train = max(case.num_images - 2 * num_val, 1)
    size = training_size(num_train)
    trainable = _trainable(chosen, backbone, case.num_classes or ASSUMED_CLASSES)
    return Advice(
        case=case,
        backbone=backbone,
        chosen=chosen,
        why=_why(table, tables),
        tables=tables,
        num_train=num_train,
        trainable=trainable,
        norm=_norm(case, chosen, num_train, size.batch_size),
        batch_size=size.batch_size,
        epochs=size.epochs * _EPOCHS_FACTOR.get(chosen.strategy, 1),
        head_epochs=size.head_epochs,
        findings=tuple(cautions(case, num_train, num_val, trainable)),
        changes=tuple(changes(case)),
    )


def _fired(table: Table, case: Case, chosen: Row) -> Fired:
    row = table.fired(case)
    if row is None:
        return Fired(table.letter, table.title, None, None, agrees=True)
    return Fired(table.letter, table.title, row.text, row.trains, row.agrees_with(chosen))


def _why(chosen: Table, tables: tuple[Fired, ...]) -> str:
    others = [fired.table for fired in tables if not fired.agrees]
    if not others:
        return "no table disagrees"
    verb = "disagrees" if len(others) == 1 else "disagree"
    return f"{' and '.join(others)} {verb}; table {chosen.letter} wins, for it {_GROUNDS[chosen.letter]}"


def _trainable(row: Row, backbone: str, num_classes: int) -> int | None:
    size = SIZES.get(backbone)
    if size is None:
        return None
    stages = {"feature_extraction": 0, "partial": row.last_stages or 1}.get(row.strategy, len(size.stages))
    return size.trainable(stages, num_classes)


def _norm(case: Case, row: Row, num_train: int, batch_size: int) -> NormPolicy:
    options = norm.Auto(domain=case.domain.word)
    pretrained = row.strategy != "scratch"
    return norm.policy(options, num_train=num_train, batch_size=batch_size, pretrained=pretrained)
