"""Some values of a recipe file changed in its text, so that comments and everything else stay as they were written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from ftcli.errors import Problem, RecipeError
from ftcli.recipe import overrides as command_line
from ftcli.recipe.check import check
from ftcli.recipe.load import read_text
from ftcli.recipe.schema import Recipe
from ftcli.recipe.yaml_source import compose, parse


def edit(path: Path, changes: Sequence[str]) -> str:
    """The text of the recipe at `path` with `changes`, which are written as `--set` takes them: `optimizer.lr=1e-3`.

    Raises RecipeError where the text has a form in which they cannot be changed by themselves (an alias).
    """
    before = read_text(path)
    text = _all_changed(before, changes)
    meant = _meaning(before, changes)
    if text is None or meant is None or _meaning(text, ()) != meant:
        message = f"{', '.join(paths(changes))} cannot be changed by themselves in this text"
        raise RecipeError(Problem("", message, "write them out, without anchors and aliases", at=str(path)))
    return text


def paths(changes: Sequence[str]) -> list[str]:
    """What they change, each once."""
    return list(dict.fromkeys(change.partition("=")[0].strip() for change in changes))


def _all_changed(text: str, changes: Sequence[str]) -> str | None:
    """None where one change has taken away what the rest of the text refers to."""
    try:
        for change in changes:
            where, _, value = change.partition("=")
            text = _changed(text, command_line.steps(where.strip()), _quoted(value.strip()))
    except (RecipeError, yaml.YAMLError):
        return None
    return text


def _quoted(value: str) -> str:
    """A text with signs that mean something within braces is quoted; nothing is null."""
    meant = parse(value, "value").data
    return json.dumps(meant) if isinstance(meant, str) and set(value) & set(",:#{}[]") else value or "null"


def _meaning(text: str, changes: Sequence[str]) -> Recipe | None:
    """None where the text is no recipe (any more)."""
    try:
        document = parse(text, "recipe")
    except RecipeError:
        return None
    command_line.apply(document, changes)
    return check(document.data)[0]


def _changed(text: str, steps: Sequence[str | int], value: str) -> str:
    """Where the text has nothing (more) on the way, what is missing is written in braces."""
    outer: yaml.Node = compose(text)
    for index, step in enumerate(steps):
        inner, below = _child(outer, step), steps[index + 1 :]
        if inner is None:
            return _added(text, outer, step, _nested(below, value))
        if not below:
            return _replaced(text, inner, value)
        if isinstance(inner, yaml.ScalarNode):
            return _replaced(text, inner, _written_out(inner, below, value))
        outer = inner
    raise AssertionError("a path has a step")


def _nested(steps: Sequence[str | int], value: str) -> str:
    for step in reversed(steps):
        value = f"{{{step}: {value}}}"
    return value


def _written_out(short: yaml.ScalarNode, below: Sequence[str | int], value: str) -> str:
    """Instead of a section's short form, the name of its kind, or of nothing at all."""
    if short.tag.endswith(":null"):
        return _nested(below, value)
    if list(below) == ["kind"]:
        return value
    return f"{{kind: {short.value}, {_nested(below, value)[1:]}"


def _added(text: str, outer: yaml.Node, key: str | int, value: str) -> str:
    start, column = outer.start_mark.index, outer.start_mark.column
    if not _is_block(outer):
        return f"{text[: start + 1]}{key}: {value}, {text[start + 1 :]}"
    if column == 0:  # the recipe itself
        return f"{text.rstrip()}\n\n{key}: {value}\n"
    return f"{text[:start]}{key}: {value}\n{' ' * column}{text[start:]}"


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode):
        return node.value[step] if isinstance(step, int) and step < len(node.value) else None
    return next((value for name, value in node.value if name.value == step), None)


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
