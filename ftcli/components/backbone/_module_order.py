"""Depth of a network that declares none, read off the order in which its modules were registered.

A *row* is the children of a ModuleList, ModuleDict or Sequential, or siblings that share a name up to a number
(layer1 ... layer4). The outermost row of blocks gives the stages, the rows of blocks inside a stage its layers.
A *block* holds two or more weight matrices; a convolution with its norm is none, so the inside of a residual
unit is not taken for depth.

A *unit* is the name of a module or of a parameter; groups of units become patterns.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from torch import nn
from torch.nn.parameter import is_lazy

from ._depth import Depth, Patterns
from ._opened import is_below

_CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)
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
    tree = _Tree(model, heads)
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


class _Tree:
    """The modules that have parameters outside the heads, and how much is in each."""

    def __init__(self, model: nn.Module, heads: Sequence[str]) -> None:
        self.modules = dict(model.named_modules())
        self.numel: dict[str, int] = defaultdict(int)
        self.width: dict[str, int] = {}
        self._children: dict[str, dict[str, None]] = defaultdict(dict)
        self._matrices: dict[str, set[str]] = defaultdict(set)
        for name, parameter in model.named_parameters():
            if is_below(name, heads):
                continue
            shape = (0,) if is_lazy(parameter) else tuple(parameter.shape)
            self._add(name, parameter.numel() if shape != (0,) else 1, shape)

    def _add(self, name: str, numel: int, shape: tuple[int, ...]) -> None:
        path = name.split(".")
        is_matrix = sum(side > 1 for side in shape) > 1 and shape[0] > 1
        for depth in range(len(path)):
            above, unit = ".".join(path[:depth]), ".".join(path[: depth + 1])
            self._children[above][unit] = None
            self.numel[unit] += numel
            self.width[unit] = shape[0] if shape else 1
            if is_matrix:
                self._matrices[unit].add(".".join(path[:-1]))

    def units(self, path: str) -> list[str]:
        """The module's own parameters and its children, in the order of their registration."""
        found = list(self._children[path])
        if not isinstance(self.modules.get(path), _CONTAINERS):
            return found
        order = [f"{path}.{name}".strip(".") for name, _ in self.modules[path].named_children()]
        return sorted(found, key=lambda unit: order.index(unit) if unit in order else -1)

    def is_module(self, unit: str) -> bool:
        return unit in self.modules

    def is_container(self, unit: str) -> bool:
        return isinstance(self.modules.get(unit), _CONTAINERS)

    def matrices(self, unit: str) -> int:
        return len(self._matrices[unit])

    def is_block(self, unit: str) -> bool:
        return self.is_module(unit) and self.matrices(unit) > 1

    def share(self, unit: str, path: str) -> float:
        return self.numel[unit] / max(1, sum(self.numel[one] for one in self._children[path]))


def _rows(tree: _Tree, path: str, least: int) -> list[list[str]]:
    """The rows directly in a module, in the order of their first items."""
    if tree.is_container(path):
        row = [unit for unit in tree.units(path) if tree.is_module(unit)]
        return [row] if len(row) >= least else []
    rows: dict[str, list[str]] = {}
    for unit in tree.units(path):
        numbered = re.fullmatch(r"(.*?)\d+", unit.rpartition(".")[2])
        if numbered and tree.is_module(unit):
            rows.setdefault(numbered[1] + "#", []).append(unit)
        elif tree.is_container(unit):
            rows[unit] = tree.units(unit)
    for prefix in [prefix for prefix, row in rows.items() if prefix.endswith("#") and len(row) < 2]:
        (alone,) = rows.pop(prefix)
        if tree.is_container(alone):
            rows[alone] = tree.units(alone)
    places = {unit: place for place, unit in enumerate(tree.units(path))}
    found = [row for row in rows.values() if len(row) >= least]
    return sorted(found, key=lambda row: places.get(row[0], places.get(row[0].rpartition(".")[0], 0)))


def _is_row_of_blocks(tree: _Tree, row: Sequence[str]) -> bool:
    """Downsampling between the blocks is none itself, so half of the row is enough."""
    return 2 * sum(tree.is_block(unit) for unit in row) >= len(row)


def _has_blocks(tree: _Tree, unit: str) -> bool:
    """Whether a row of blocks is in a module, at any depth."""
    if any(_is_row_of_blocks(tree, row) for row in _rows(tree, unit, least=2)):
        return True
    return any(_has_blocks(tree, below) for below in tree.units(unit) if tree.is_module(below))


def _run_of_blocks(tree: _Tree, path: str, least: int) -> _Run | None:
    """The outermost row of blocks in a module, found through the modules that only wrap it."""
    rows = _rows(tree, path, least)
    main = [row for row in rows if _is_row_of_blocks(tree, row)]
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


def _may_be_descended(tree: _Tree, unit: str, main: Sequence[Sequence[str]], least: int) -> bool:
    """Whether the depth may be inside a child: not where it is one of the row's blocks, or the row itself."""
    kind = type(tree.modules[unit])
    for row in main:
        if unit in row and any(type(tree.modules[o]) is kind and tree.is_block(o) for o in row if o != unit):
            return False
        if row[0].rpartition(".")[0] == unit:
            return False
    return _has_blocks(tree, unit) or (least == 1 and _holds_one_block(tree, unit))


def _holds_one_block(tree: _Tree, unit: str) -> bool:
    """A stage of a single block has its row all the same."""
    inside = tree.units(unit)
    return tree.is_container(unit) and len(inside) == 1 and tree.is_block(inside[0])


def _run_of_rows(
    tree: _Tree, units: Sequence[str], rows: Sequence[Sequence[str]], main: Sequence[Sequence[str]]
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


def _goes_with(tree: _Tree, row: Sequence[str], leader: Sequence[str]) -> bool:
    """Whether the rows stand side by side (patch_embeddings[i] and block[i]): as many items, each as wide."""
    return [tree.width[unit] for unit in row] == [tree.width[unit] for unit in leader]


def _in_order(
    tree: _Tree, units: Sequence[str], items: dict[int, list[_Item]], row_of: dict[str, int]
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


def _joined(tree: _Tree, row: Sequence[_Item], has_stem: bool) -> list[_Item]:
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


def _run_of_anything(tree: _Tree, path: str) -> _Run:
    """Where there are no rows of blocks: every child with weights is an item, in rows or not."""
    units = tree.units(path)
    largest = max(units, key=lambda unit: tree.numel[unit], default=None)
    others = [unit for unit in units if unit != largest and tree.is_block(unit)]
    if largest and tree.is_block(largest) and not others and tree.share(largest, path) >= _NEARLY_ALL:
        found = _run_of_anything(tree, largest)
        place = units.index(largest)
        return _Run(found.items, units[:place] + found.before, found.after + units[place + 1 :])
    rows = _rows(tree, path, least=2)
    in_rows = {unit for row in rows for unit in row} | {row[0].rpartition(".")[0] for row in rows}
    main = [row for row in rows if any(tree.matrices(unit) for unit in row)]
    main += [[u] for u in units if u not in in_rows and tree.is_module(u) and tree.matrices(u)]
    if not main:
        return _Run([_Item(path or "stem", units)])
    singles = [row for row in main if row not in rows]
    return _run_of_rows(tree, units, [*rows, *singles], main)


def _inside(tree: _Tree, stage: _Item) -> _Run:
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
