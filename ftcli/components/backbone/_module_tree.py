"""The modules of a network as a tree, and the rows in it.

A *unit* is the name of a module or of a parameter. A *row* is the children of a ModuleList, ModuleDict or Sequential,
or siblings that share a name up to a number (layer1 ... layer4). A *block* holds two or more weight matrices; a
convolution with its norm is none, so the inside of a residual unit is not taken for depth.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from torch import nn
from torch.nn.parameter import is_lazy

from ._opened import is_below

_CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)


class Tree:
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


def rows_in(tree: Tree, path: str, least: int) -> list[list[str]]:
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


def is_row_of_blocks(tree: Tree, row: Sequence[str]) -> bool:
    """Downsampling between the blocks is none itself, so half of the row is enough."""
    return 2 * sum(tree.is_block(unit) for unit in row) >= len(row)


def has_blocks(tree: Tree, unit: str) -> bool:
    """Whether a row of blocks is in a module, at any depth."""
    if any(is_row_of_blocks(tree, row) for row in rows_in(tree, unit, least=2)):
        return True
    return any(has_blocks(tree, below) for below in tree.units(unit) if tree.is_module(below))


def holds_one_block(tree: Tree, unit: str) -> bool:
    """A stage of a single block has its row all the same."""
    inside = tree.units(unit)
    return tree.is_container(unit) and len(inside) == 1 and tree.is_block(inside[0])
