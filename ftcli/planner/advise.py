"""Advice from the size of a data set and its domain: which rows fire, which one wins, what follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from ftcli.components import norm
from ftcli.findings import Finding
from ftcli.planner.cautions import cautions
from ftcli.planner.domain import FAR_FROM
from ftcli.planner.measured import EVIDENCE
from ftcli.planner.table_rows import Case, Rates, Row, Strategy, Table
from ftcli.planner.training_size import training_size
from ftcli.planner.trusted import TRUSTED
from ftcli.planner.what_if import changes
from ftcli.plans.layer_map import HEAD, LayerMap
from ftcli.plans.norm_policy import NormPolicy

ASSUMED_CLASSES = 10
"""For counting a head when the number of classes is not given."""
HELD_OUT = 0.15
"""Share of the images that validation keeps, and as many the test: the recipe's default split."""
_EPOCHS_FACTOR: dict[Strategy, int] = {"feature_extraction": 2, "scratch": 6}
"""A head on features that are computed once costs little to train; random weights need many epochs."""
_GROUNDS = {
    "M": f"was measured in {EVIDENCE}",
    "B": "knows the images per class, which say more than totals",
    "A": "has finer steps than D, and unlike C looks at the domain",
    "D": "looks at the domain",
}


@dataclass(frozen=True)
class Fired:
    """A table, its row that fired (None: none did), and whether that allows what the winner advises to train."""

    table: str
    title: str
    row: str | None
    trains: str | None
    agrees: bool
    rates: Rates | None = None


@dataclass(frozen=True)
class Streams:
    """How many images train, validate and test."""

    train: int
    val: int
    test: int


def streams_of(num_images: int) -> Streams:
    """As the recipe's default split divides them."""
    held_out = round(num_images * HELD_OUT)
    return Streams(max(num_images - 2 * held_out, 1), held_out, held_out)


@dataclass(frozen=True)
class Advice:
    """`tables` in the order of trust; `chosen` is the row that won, `shortened` why it is less than that."""

    case: Case
    layer_map: LayerMap
    chosen: Row
    why: str
    tables: tuple[Fired, ...]
    streams: Streams
    trainable: int
    norm: NormPolicy
    batch_size: int
    epochs: int
    head_epochs: int
    findings: tuple[Finding, ...]
    changes: tuple[str, ...]
    """What would change the answer."""
    shortened: str | None = None
    """Why less trains than the tables say: the time that there is."""

    @property
    def backbone(self) -> str:
        return self.layer_map.backbone

    @property
    def flip(self) -> bool:
        """Whether mirror images are training images too."""
        return self.case.domain.scenario != "chest-xray"

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        case, chosen = self.case, self.chosen
        return {
            "num_images": case.num_images,
            "num_classes": case.num_classes,
            "images_per_class": case.images_per_class,
            "streams": asdict(self.streams),
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
            "chosen": {
                "table": chosen.table,
                "row": chosen.text,
                "why": self.why,
                "shortened": self.shortened,
            },
            "tables": [asdict(fired) for fired in self.tables],
            "findings": [asdict(finding) for finding in self.findings],
            "changes": list(self.changes),
        }


def recommend(
    case: Case,
    layer_map: LayerMap,
    streams: Streams | None = None,
    less: Row | None = None,
    shortened: str | None = None,
) -> Advice:
    """Pure: the same case, the same advice. `layer_map` is of the backbone with a head for the classes.

    `less` is followed instead of the winner of the tables where there is too little time for that: `shortened`.
    """
    table, winner = next((t, row) for t in TRUSTED if (row := t.fired(case)))
    tables = tuple(_fired(table, case, winner) for table in TRUSTED)
    chosen = _within(less or winner, layer_map)
    streams = streams or streams_of(case.num_images)
    size = training_size(streams.train)
    trainable = _trainable(chosen, layer_map)
    return Advice(
        case=case,
        layer_map=layer_map,
        chosen=chosen,
        why=_why(table, winner, tables),
        tables=tables,
        streams=streams,
        trainable=trainable,
        norm=_norm(chosen, streams.train, size.batch_size),
        batch_size=size.batch_size,
        epochs=size.epochs * _EPOCHS_FACTOR.get(chosen.strategy, 1),
        head_epochs=size.head_epochs,
        findings=tuple(cautions(case, streams.train, streams.val, trainable)),
        changes=tuple(_changes(case, winner, chosen)),
        shortened=shortened,
    )


def _within(row: Row, layer_map: LayerMap) -> Row:
    """No more stages than the backbone has."""
    if row.last_stages is None:
        return row
    return replace(row, last_stages=min(row.last_stages, len(layer_map.backbone_stages)))


def _fired(table: Table, case: Case, chosen: Row) -> Fired:
    row = table.fired(case)
    if row is None:
        return Fired(table.letter, table.title, None, None, agrees=True)
    return Fired(table.letter, table.title, row.text, row.trains, row.agrees_with(chosen), row.rates)


def _changes(case: Case, winner: Row, chosen: Row) -> Iterator[str]:
    """Where there is too little time for what the tables say, more of it comes first."""
    if chosen.trains != winner.trains:
        yield f"with more time: {winner.trains} (table {winner.table})"
    yield from changes(case, {winner.trains, chosen.trains})


def _why(chosen: Table, winner: Row, tables: tuple[Fired, ...]) -> str:
    others = [fired.table for fired in tables if not fired.agrees]
    faster = [fired.table for fired in tables if fired.agrees and fired.rates not in (None, winner.rates)]
    if not others and not faster:
        measured = f", and it {_GROUNDS[chosen.letter]}" if chosen.letter == "M" else ""
        return f"no table disagrees{measured}"
    if not others:
        have = "has" if len(faster) == 1 else "have"
        rest = f"{' and '.join(faster)} {have} other LRs"
        return (
            f"no table disagrees on what trains; {rest}, and table {chosen.letter} {_GROUNDS[chosen.letter]}"
        )
    verb = "disagrees" if len(others) == 1 else "disagree"
    return f"{' and '.join(others)} {verb}; table {chosen.letter} wins, for it {_GROUNDS[chosen.letter]}"


def _trainable(row: Row, layer_map: LayerMap) -> int:
    stages = layer_map.backbone_stages
    upper = {"feature_extraction": 0, "partial": row.last_stages or 1}.get(row.strategy, len(stages))
    trained = (HEAD, *stages[max(len(stages) - upper, 0) :])
    return layer_map.numel(parameter.name for parameter in layer_map.in_stages(trained))


def _norm(row: Row, num_train: int, batch_size: int) -> NormPolicy:
    """By the number of examples alone: that batches of 32 on a far domain are worth following was measured to be wrong
    (components/norm.py, Auto.domain)."""
    pretrained = row.strategy != "scratch"
    return norm.policy(norm.Auto(), num_train=num_train, batch_size=batch_size, pretrained=pretrained)
