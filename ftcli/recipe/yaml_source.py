"""YAML text into plain data, with the line and column of every part of it.

The YAML 1.2 core schema, less what a recipe has no use for: 1e-4 is a number; `on`, `yes`, dates and 1_000
are text; 010 is ten. Tags, merge keys, a second document and keys that are not text are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unicodedata import category

import yaml
from yaml.composer import ComposerError

from ftcli.errors import Problem, RecipeError

MAX_BYTES = 64 * 1024
"""A recipe is a page or two."""
MAX_DEPTH = 32
MAX_PARTS = 2_000
"""Mappings, lists and scalars, with every alias written out: an alias bomb passes this at once."""
TOO_MANY = f"more than {MAX_PARTS:,} values, aliases counted"
TOO_LONG = f"more than {MAX_BYTES // 1024} KiB of text, aliases counted"

_TAG = "tag:yaml.org,2002:"
_REMEDIES = {
    "mapping values are": "write keys of one mapping in one column; quote a value that holds ': '",
    "'\\t'": "indent with spaces",
    "expected ':'": "write ': ' between a key and its value",
    "<block end>": "write keys of one mapping in one column",
    "another document": "one recipe a file: remove the line ---",
    "a tag": "remove it; plain values have the types they look like",
}


@dataclass(frozen=True, order=True)
class Place:
    """Where something is written: line and column count from 1, `text` is what people read."""

    line: int
    column: int
    text: str


@dataclass(frozen=True)
class Found:
    """A problem, and its place for the order of telling."""

    place: Place
    problem: Problem

    @classmethod
    def at(cls, place: Place, path: str, message: str, remedy: str | None = None) -> Found:
        return cls(place, Problem(path, message, remedy, place.text))


@dataclass(frozen=True)
class _Size:
    """How much a text holds with its aliases written out: values, and characters in them."""

    parts: int = 0
    letters: int = 0

    def __add__(self, other: _Size) -> _Size:
        return _Size(self.parts + other.parts, self.letters + other.letters)

    def __sub__(self, other: _Size) -> _Size:
        return _Size(self.parts - other.parts, self.letters - other.letters)


@dataclass(frozen=True)
class Document:
    """`data` is made of dict, list, str, int, float, bool and None.

    `places` has the place of each path in it; "" is the whole.
    """

    data: Any
    places: dict[str, Place]
    found: tuple[Found, ...]


def parse(text: str, label: str) -> Document:
    """The document in `text`, and the problems that leave the rest of it readable.

    Raises RecipeError for the problem that does not. `label` is the file as people know it.
    """
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        reader = _Reader(label)
        node = loader.get_single_node()
        data = None if node is None else reader.read(node, "", reader.place(node.start_mark))
    except yaml.YAMLError as error:
        raise RecipeError(_syntax(error, text, label)) from error
    except (ValueError, OverflowError) as error:  # PyYAML on "\U99999999"
        line = loader.line + 1 if loader else 1
        raise RecipeError(Problem("", f"not valid YAML: {error}", at=f"{label}:{line}:1")) from error
    return Document(data, reader.places or {"": Place(1, 1, f"{label}:1:1")}, tuple(reader.found))


def compose(text: str) -> yaml.MappingNode:
    """The nodes of a text that `parse` has found to be right, with their places in it."""
    node = _Loader(text).get_single_node()
    assert isinstance(node, yaml.MappingNode)
    return node


def join(path: str, step: str | int) -> str:
    """The recipe path one step further in: `strategy.schedule`, 1 -> `strategy.schedule[1]`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def nearest_place(places: Mapping[str, Place], path: str) -> Place:
    """Where `path` is written, or the nearest part around it that is."""
    while path and path not in places:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return places[path]


class _Refused(ComposerError):
    """Well-formed, but not to be had in a recipe."""

    def __init__(self, message: str, mark: Any) -> None:
        super().__init__(None, None, message, mark)


class _Loader(yaml.SafeLoader):
    """Composes nodes; never constructs a Python object from a tag."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  # declared so by PyYAML
    depth = 0
    size = _Size()

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.named: dict[str, _Size] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            raise _Refused(f"a tag ({event.tag}) is not allowed", event.start_mark)
        if self.depth >= MAX_DEPTH:
            raise _Refused(f"more than {MAX_DEPTH} levels deep", event.start_mark)
        before = self.size
        self._count(event, is_key=isinstance(parent, yaml.MappingNode) and index is None)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self.named[event.anchor] = self.size - before
        return node

    def _count(self, event: Any, is_key: bool) -> None:
        """An alias counts for all that it names: a bomb is refused where it is read, before it is written out."""
        letters = len(event.value) if isinstance(event, yaml.ScalarEvent) else 0
        size = _Size(0 if is_key else 1, letters)
        if isinstance(event, yaml.AliasEvent):
            size = self.named.get(event.anchor or "", size)  # unknown, or one around it: told of later
        self.size += size
        if self.size.parts > MAX_PARTS:
            raise _Refused(TOO_MANY, event.start_mark)
        if self.size.letters > MAX_BYTES:
            raise _Refused(TOO_LONG, event.start_mark)


_RESOLVERS: tuple[tuple[str, str, str], ...] = (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]{1,18}", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
)
_VALUES: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": lambda text: float(re.sub(r"\.(?=[in])", "", text.lower())),
}


def add_resolvers(owner: type[yaml.SafeLoader] | type[yaml.SafeDumper]) -> None:
    """Teach a loader or dumper which plain scalars are not text."""
    for name, pattern, first in _RESOLVERS:
        letters = [*first, ""] if name == "null" else list(first)
        owner.add_implicit_resolver(_TAG + name, re.compile(rf"^(?:{pattern})$"), letters)


add_resolvers(_Loader)


@dataclass
class _Reader:
    """Walks the nodes once, aliases written out, and notes data, places and problems."""

    label: str
    places: dict[str, Place] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    around: list[yaml.Node] = field(default_factory=list)

    def place(self, mark: Any) -> Place:
        line, column = mark.line + 1, mark.column + 1
        return Place(line, column, f"{self.label}:{line}:{column}")

    def read(self, node: yaml.Node, path: str, place: Place) -> Any:
        """The data of a node that is written at `place`."""
        self.places[path] = place
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, place)
        if node in self.around:
            raise _Refused("an alias stands inside of what it names", node.start_mark)
        if len(self.around) >= MAX_DEPTH:
            raise _Refused(f"more than {MAX_DEPTH} levels deep", node.start_mark)
        self.around.append(node)
        data: Any = None
        if isinstance(node, yaml.MappingNode):
            data = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            data = self._list(node, path)
        self.around.pop()
        return data

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            place = self.place(key_node.start_mark)
            key = self._key(key_node, path, place)
            if key is None:
                continue
            if key in data:
                message = f"{key!r} is given twice, first in line {lines[key]}"
                self.found.append(Found.at(place, join(path, key), message, "keep one"))
                continue
            lines[key] = place.line
            data[key] = self.read(value_node, join(path, key), place)
        return data

    def _key(self, node: yaml.Node, path: str, place: Place) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.found.append(Found.at(place, path, "a key must be text"))
            return None
        if node.tag != _TAG + "str":
            message = f"a key must be text, got {node.value or 'nothing'}"
            self.found.append(Found.at(place, path, message, f'write it in quotes: "{node.value}"'))
            return None
        if node.value == "<<" and node.style is None:
            self.found.append(
                Found.at(place, path, "merge keys (<<) are not supported", "write the keys out")
            )
            return None
        return str(self._scalar(node, path, place))

    def _list(self, node: yaml.SequenceNode, path: str) -> list[Any]:
        return [
            self.read(item, join(path, index), self.place(item.start_mark))
            for index, item in enumerate(node.value)
        ]

    def _scalar(self, node: yaml.ScalarNode, path: str, place: Place) -> Any:
        """Text with surrogates or control characters would break JSON, terminals and file names later."""
        text: str = node.value
        if any(category(c) in ("Cc", "Cs") and c not in "\n\t" for c in text):
            self.found.append(Found.at(place, path, f"{text[:40]!a} holds a control character", "remove it"))
            return ""
        convert = _VALUES.get(node.tag.removeprefix(_TAG))
        return convert(text) if convert else text


def _syntax(error: yaml.YAMLError, text: str, label: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        message = f"not valid YAML: the character {chr(error.character)!a} is not allowed"
        return Problem("", message, "remove it", f"{label}:{line}:{column}")
    assert isinstance(error, yaml.MarkedYAMLError)
    mark = error.problem_mark or error.context_mark
    message = ", ".join(part for part in (error.context, error.problem) if part)
    if not isinstance(error, _Refused):
        message = f"not valid YAML: {message}"
    remedy = next((remedy for sign, remedy in _REMEDIES.items() if sign in message), None)
    where = f"{label}:{mark.line + 1}:{mark.column + 1}" if mark else label
    return Problem("", message, remedy, where)
