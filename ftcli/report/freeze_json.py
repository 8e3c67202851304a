"""Facts, their counts and their changes as plain data: numbers are numbers, shares lie between 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ftcli.plans.freeze_facts import FreezeFacts, ParameterFacts
from ftcli.plans.freeze_table import Cell, FreezeTable, freeze_table
from ftcli.report.freeze_depth import at_depth, norm_of
from ftcli.report.freeze_diff import changes


def phases_json(phases: Sequence[FreezeFacts]) -> list[dict[str, Any]]:
    """Each phase on its own, with its stages and its parameters in it."""
    freeze = freeze_table(phases)
    return [_phase(freeze, index, facts) for index, facts in enumerate(phases)]


def layers_json(facts: FreezeFacts) -> list[dict[str, Any]]:
    """A row a layer, as the rows of stages are."""
    return _rows(freeze_table([at_depth(facts, "layer")]), 0)


def parameters_json(facts: FreezeFacts) -> list[dict[str, Any]]:
    """Every fact of every parameter; `norm` holds the mode of its BatchNorm, null where it is of none."""
    norms, layers = norm_of(facts), {layer.index: layer.name for layer in facts.layers}
    return [
        listed(
            {
                **_parameter(p),
                "layer_name": layers[p.layer],
                "norm": asdict(norms[p.name]) if p.name in norms else None,
            }
        )
        for p in facts.parameters
    ]


def diff_json(before: FreezeFacts, after: FreezeFacts) -> dict[str, Any]:
    """`changed` is empty where nothing changes."""
    changed = [listed(change.to_dict()) for change in changes(before, after)]
    return {"before": before.phase, "after": after.phase, "changed": changed}


def listed(values: Any) -> Any:
    """Tuples as lists, so that the data equals what JSON gives back."""
    if isinstance(values, dict):
        return {key: listed(value) for key, value in values.items()}
    return [listed(value) for value in values] if isinstance(values, (list, tuple)) else values


def _phase(freeze: FreezeTable, index: int, facts: FreezeFacts) -> dict[str, Any]:
    column = freeze.phases[index]
    return {
        "name": facts.phase,
        "optimizer": facts.optimizer,
        "num_groups": facts.num_groups,
        "epochs": listed(facts.epochs),
        "trainable": column.trainable,
        "trainable_share": column.trainable_share,
        "strangers": list(facts.strangers),
        "shared": listed(facts.shared),
        "stages": _rows(freeze, index),
        "parameters": parameters_json(facts),
    }


def _rows(freeze: FreezeTable, index: int) -> list[dict[str, Any]]:
    return [
        {"name": row.name, "parameters": row.parameters, "share": row.share, **_cell(row.phases[index])}
        for row in freeze.stages
    ]


def _cell(cell: Cell) -> dict[str, Any]:
    facts: dict[str, Any] = listed(asdict(cell))
    return {key: value for key, value in facts.items() if key != "phase"}


def _parameter(p: ParameterFacts) -> dict[str, Any]:
    return {**asdict(p), "numel": p.numel, "decays": p.decays}
