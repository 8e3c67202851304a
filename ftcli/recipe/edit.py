"""Some values of a recipe file changed in its text, so that comments and everything else stay as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ftcli.errors import Problem, RecipeError
from ftcli.recipe import overrides as command_line
from ftcli.recipe.check import check
from ftcli.recipe.load import read_text
from ftcli.recipe.schema import Recipe
from ftcli.recipe.yaml_source import compose, parse


def edit(path: Path, values: Mapping[str, str]) -> str:
    """The text of the recipe at `path` with `values`: `optimizer.lr` to `1e-3`, `layer_lr` to `{kind: stages, ...}`.

    Raises RecipeError where the text has a form in which they cannot be changed by themselves (an alias).
    """
    before = read_text(path)
    text = _all_changed(before, values)
    meant = _meaning(before, values)
    if text is None or meant is None or _meaning(text, {}) != meant:
        message = f"{', '.join(values)} cannot be changed by themselves in this text"
        raise RecipeError(Problem("", message, "write them out, without anchors and aliases", at=str(path)))
    return text


def _all_changed(text: str, values: Mapping[str, str]) -> str | None:
    """None where one change has taken away what the rest of the text refers to."""
    try:
        for where, value in values.items():
            text = _changed(text, where, value)
    except yaml.YAMLError:
        return None
    return text


def _meaning(text: str, values: Mapping[str, str]) -> Recipe | None:
    """None where the text is no recipe (any more)."""
    try:
        document = parse(text, "recipe")
    except RecipeError:
        return None
    command_line.apply(document, [f"{where}={value}" for where, value in values.items()])
    return check(document.data)[0]


def _changed(text: str, where: str, value: str) -> str:
    section, _, key = where.partition(".")
    root = compose(text)
    node = _child(root, section)
    if node is None:
        written = f"{section}: {{{key}: {value}}}" if key else f"{section}: {value}"
        return f"{text.rstrip()}\n\n{written}\n"
    if not key:
        return _replaced(text, node, value)
    if isinstance(node, yaml.ScalarNode):
        return _replaced(
            text, node, f"{{kind: {node.value}, {key}: {value}}}" if node.value else f"{{{key}: {value}}}"
        )
    inner = _child(node, key)
    if inner is not None:
        return _replaced(text, inner, value)
    start, column = node.start_mark.index, node.start_mark.column
    if not _is_block(node):
        return f"{text[: start + 1]}{key}: {value}, {text[start + 1 :]}"
    return f"{text[:start]}{key}: {value}\n{' ' * column}{text[start:]}"


def _child(node: Any, key: str) -> yaml.Node | None:
    return next((value for name, value in node.value if name.value == key), None)


def _replaced(text: str, node: yaml.Node, value: str) -> str:
    """In place of the node. A block's own end lies where the next thing starts, behind blank lines and comments."""
    start = node.start_mark.index
    space = " " if text[start - 1 : start] == ":" else ""
    if _is_block(node):  # written on the lines below its key
        start = text.rindex(":", 0, start) + 1
        space = " "
    return f"{text[:start]}{space}{value}{text[_end(node) :]}"


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) and not node.flow_style


def _end(node: yaml.Node) -> int:
    """Where its last value ends."""
    if not _is_block(node) or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)
