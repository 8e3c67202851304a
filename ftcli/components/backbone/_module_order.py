"""Depth of a network that declares none, read off the order in which its modules were registered.

The outermost row of blocks (see _module_tree) gives the stages, the rows of blocks inside a stage its layers.
Groups of units become patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from torch import nn

from ._depth import Depth, Patterns
from ._module_tree import Tree, has_blocks, holds_one_block, is_row_of_blocks, rows_in

_NEARLY_ALL = 0.75
"""The share of a module's parameters that makes the rest of it a stem and an end."""


@dataclass
class _Item:
    """Units that belong together, called by the one that says most."""

    name: str
    units: list[str]


@dataclass
class _Run:
    """A part of the network in order: what comes before its items, the items, and what comes after them."""

    items: list[_Item]
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def by_module_order(model: nn.Module, heads: Sequence[str]) -> Depth:
    """Stages and layers of what is outside `heads`. A model without any structure is one stage of one layer."""
    tree = Tree(model, heads)
    found = _run_of_blocks(tree, "", least=2) or _run_of_anything(tree, "")
    stages = [_Item(item.name, []) for item in found.items]
    layers: list[_Item] = []
    stem = list(found.before)
    for stage, item in zip(stages, found.items, strict=True):
        inside = _inside(tree, item)
        if not stem:
            stem = _first_of(inside)
        if inside.items:
            inside.items[0].units[:0] = inside.before
            inside.items[-1].units += inside.after
        stage.units = [unit for layer in inside.items for unit in layer.units]
        layers += inside.items
    stages = [stage for stage in stages if stage.units]
    for groups in (stages, layers):
        last = groups[-1].units if groups else stem
        last += [unit for unit in found.after if unit not in last]
    return Depth(_patterns(stem, stages), _patterns(stem, layers))


def _first_of(stage: _Run) -> list[str]:
    """Taken out of the first stage to be the stem where nothing stands before it: the patch embedding that
    comes with the stage, else its first layer."""
    if stage.before:
        taken, stage.before = stage.before, []
        return taken
    return stage.items.pop(0).units + ([] if stage.items else stage.after)


def _patterns(stem: list[str], items: Iterable[_Item]) -> dict[str, Patterns]:
    groups = {"": stem} | {item.name: item.units for item in items}
    return {
        name or "stem": rf"(?:{'|'.join(re.escape(unit) for unit in units)})(?:\.|$)"
        for name, units in groups.items()
        if units
    }


def _run_of_blocks(tree: Tree, path: str, least: int) -> _Run | None:
    """The outermost row of blocks in a module, found through the modules that only wrap it."""
    rows = rows_in(tree, path, least)
    main = [row for row in rows if is_row_of_blocks(tree, row)]
    units = tree.units(path)
    deep = [unit for unit in units if tree.is_module(unit) and _may_be_descended(tree, unit, main, least)]
    if main and not (len(deep) == 1 and tree.share(deep[0], path) >= _NEARLY_ALL):
        return _run_of_rows(tree, units, rows, main)
    if not deep:
        return None
    largest = max(deep, key=lambda unit: tree.numel[unit])
    if len(deep) > 1 and tree.share(largest, path) < _NEARLY_ALL:
        return _run_of_rows(tree, units, [units], [units])
    found = _run_of_blocks(tree, largest, least)
    if found is None:
        return None
    place = units.index(largest)
    return _Run(found.items, units[:place] + found.before, found.after + units[place + 1 :])


def _may_be_descended(tree: Tree, unit: str, main: Sequence[Sequence[str]], least: int) -> bool:
    """Whether the depth may be inside a child: not where it is one of the row's blocks, or the row itself."""
    kind = type(tree.modules[unit])
    for row in main:
        if unit in row and any(type(tree.modules[o]) is kind and tree.is_block(o) for o in row if o != unit):
            return False
        if row[0].rpartition(".")[0] == unit:
            return False
    return has_blocks(tree, unit) or (least == 1 and holds_one_block(tree, unit))


def _run_of_rows(
    tree: Tree, units: Sequence[str], rows: Sequence[Sequence[str]], main: Sequence[Sequence[str]]
) -> _Run:
    """The items of the `main` rows, one row after the other; each other row that goes with one shares its items."""
    items = {index: [_Item(unit, []) for unit in row] for index, row in enumerate(main)}
    row_of: dict[str, int] = {}
    for row in rows:
        for index, leader in enumerate(main):
            if row == leader or (row not in main and _goes_with(tree, row, leader)):
                row_of |= dict.fromkeys(row, index)
                for item, unit in zip(items[index], row, strict=True):
                    item.units.append(unit)
                break
    return _in_order(tree, units, items, row_of)


def _goes_with(tree: Tree, row: Sequence[str], leader: Sequence[str]) -> bool:
    """Whether the rows stand side by side (patch_embeddings[i] and block[i]): as many items, each as wide."""
    return [tree.width[unit] for unit in row] == [tree.width[unit] for unit in leader]


def _in_order(
    tree: Tree, units: Sequence[str], items: dict[int, list[_Item]], row_of: dict[str, int]
) -> _Run:
    """Rows stand where their first item is registered, with what is between them."""
    run = _Run([])
    placed: set[int] = set()
    for unit in units:
        members = [unit] if unit in row_of else [below for below in tree.units(unit) if below in row_of]
        if members:
            for row in {row_of[member]: None for member in members}:
                if row not in placed:
                    run.items += _joined(tree, items[row], bool(run.before or run.items))
                placed.add(row)
        elif not run.items:
            run.before.append(unit)
        elif len(placed) < len(items) and tree.is_block(unit):
            run.items.append(_Item(unit, [unit]))
        elif len(placed) < len(items):
            run.items[-1].units.append(unit)
        else:
            run.after.append(unit)
    return run


def _joined(tree: Tree, row: Sequence[_Item], has_stem: bool) -> list[_Item]:
    """A row without what is no block: it joins the next block, or the last where none follows.

    Before the first block it is a stem, where there is none yet. A norm joins what it follows. In a row
    without any block each weight matrix is an item.
    """
    any_blocks = any(tree.is_block(item.name) for item in row)
    found: list[_Item] = []
    waiting: list[str] = []
    for item in row:
        if not any(tree.matrices(unit) for unit in item.units) and (waiting or found):
            (waiting or found[-1].units).extend(item.units)
        elif any_blocks and not any(tree.is_block(unit) for unit in item.units):
            waiting += item.units
        elif waiting and not found and not has_stem:
            found += [_Item(row[0].name, waiting), item]
            waiting = []
        else:
            found.append(_Item(item.name, waiting + item.units))
            waiting = []
    if waiting:
        found[-1].units += waiting
    return found


def _run_of_anything(tree: Tree, path: str) -> _Run:
    """Where there are no rows of blocks: every child with weights is an item, in rows or not."""
    units = tree.units(path)
    largest = max(units, key=lambda unit: tree.numel[unit], default=None)
    others = [unit for unit in units if unit != largest and tree.is_block(unit)]
    if largest and tree.is_block(largest) and not others and tree.share(largest, path) >= _NEARLY_ALL:
        found = _run_of_anything(tree, largest)
        place = units.index(largest)
        return _Run(found.items, units[:place] + found.before, found.after + units[place + 1 :])
    rows = rows_in(tree, path, least=2)
    in_rows = {unit for row in rows for unit in row} | {row[0].rpartition(".")[0] for row in rows}
    main = [row for row in rows if any(tree.matrices(unit) for unit in row)]
    main += [[u] for u in units if u not in in_rows and tree.is_module(u) and tree.matrices(u)]
    if not main:
        return _Run([_Item(path or "stem", units)])
    singles = [row for row in main if row not in rows]
    return _run_of_rows(tree, units, [*rows, *singles], main)


def _inside(tree: Tree, stage: _Item) -> _Run:
    """The layers of a stage; one where it has no rows of blocks."""
    whole = _Run([])
    for unit in stage.units:
        run = _run_of_blocks(tree, unit, least=1) if tree.is_module(unit) else None
        if run is None:
            (whole.after if whole.items else whole.before).append(unit)
            continue
        if whole.items:
            whole.items[-1].units += whole.after + run.before
        else:
            whole.before += run.before
        whole.items += run.items
        whole.after = list(run.after)
    return whole if whole.items else _Run([_Item(stage.name, list(stage.units))])
