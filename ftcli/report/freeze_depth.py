"""Which rows a table of facts has: its stages, its layers or its parameters; all of them or those of a pattern."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Literal

from ftcli.errors import UsageError
from ftcli.plans.freeze_facts import FreezeFacts, NormFacts, ParameterFacts
from ftcli.plans.layer_map import Layer

Depth = Literal["stage", "layer", "parameter"]


def at_depth(facts: FreezeFacts, depth: Depth) -> FreezeFacts:
    """The same facts with a stage for each row of that depth, so that whatever counts stages counts rows.

    Rows that hold no parameter are left out, unless a BatchNorm without gamma and beta is in them.
    """
    if depth == "parameter":
        return _by_parameter(facts)
    if depth == "layer":
        facts = _by_layer(facts)
    rows = {p.stage for p in facts.parameters} | {norm.stage for norm in facts.batch_norms}
    return replace(facts, layers=tuple(layer for layer in facts.layers if layer.stage in rows))


def matching(facts: FreezeFacts, pattern: str) -> FreezeFacts:
    """The parameters whose names contain `pattern`, or match it where it has wildcards, and their BatchNorms.

    Raises UsageError, with names that are near, where there are none.
    """
    found = tuple(p for p in facts.parameters if _any_matches((p.name, *p.other_names), pattern))
    if not found:
        near = get_close_matches(pattern.strip("*?"), list(_known(facts)), cutoff=0.5)
        remedy = f"nearest: {', '.join(near)}" if near else "--depth parameter lists all names"
        raise UsageError(f"no parameter matches {pattern!r}", remedy=remedy)
    layers, owners = {p.layer for p in found}, {_owner(p) for p in found}
    return replace(
        facts,
        layers=tuple(layer for layer in facts.layers if layer.index in layers),
        parameters=found,
        batch_norms=tuple(norm for norm in facts.batch_norms if norm.name in owners),
    )


def norm_of(facts: FreezeFacts) -> dict[str, NormFacts]:
    """The BatchNorm of each parameter that is a gamma or a beta, by the parameter's name."""
    norms = {norm.name: norm for norm in facts.batch_norms}
    return {p.name: norms[_owner(p)] for p in facts.parameters if p.is_norm and _owner(p) in norms}


def _by_layer(facts: FreezeFacts) -> FreezeFacts:
    names = {layer.index: layer.name for layer in facts.layers}
    return replace(
        facts,
        layers=tuple(replace(layer, stage=layer.name) for layer in facts.layers),
        parameters=tuple(replace(p, stage=names[p.layer]) for p in facts.parameters),
        batch_norms=tuple(replace(norm, stage=names[norm.layer]) for norm in facts.batch_norms),
    )


def _by_parameter(facts: FreezeFacts) -> FreezeFacts:
    norms = norm_of(facts)
    return replace(
        facts,
        layers=tuple(Layer(row, p.name, p.name) for row, p in enumerate(facts.parameters)),
        parameters=tuple(replace(p, layer=row, stage=p.name) for row, p in enumerate(facts.parameters)),
        batch_norms=tuple(
            replace(norms[p.name], layer=row, stage=p.name)
            for row, p in enumerate(facts.parameters)
            if p.name in norms
        ),
    )


def _any_matches(names: Iterable[str], pattern: str) -> bool:
    if any(wildcard in pattern for wildcard in "*?["):
        return any(fnmatchcase(name, pattern) for name in names)
    return any(pattern in name for name in names)


def _known(facts: FreezeFacts) -> Iterator[str]:
    """Each once: stages, layers, parameters, and the parts of their names."""
    names: dict[str, None] = {}
    for layer in facts.layers:
        names |= dict.fromkeys((layer.stage, layer.name))
    for p in facts.parameters:
        names |= dict.fromkeys((*p.name.split("."), _owner(p), p.name))
    yield from names


def _owner(parameter: ParameterFacts) -> str:
    """The module that has the parameter."""
    return parameter.name.rpartition(".")[0]
