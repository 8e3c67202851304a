"""A folder is a section of the recipe, a file in it a choice: found here, joined into a pydantic union on `kind`.

A new file in a section's folder is a new choice; nothing else needs an edit. A section of one or two kinds
may be a single module with one options class per kind.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from inspect import cleandoc, getsource
from itertools import pairwise
from pkgutil import iter_modules
from textwrap import dedent
from typing import Annotated, Any, Literal, TypeVar, Union, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A list of a recipe; a tuple once it is read. Its items are as strict as everything else."""


class Options(BaseModel):
    """A part of a recipe: strict, frozen, unknown keys refused; a field's docstring is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        for name, text in documentation(cls).items():
            schema["properties"][name]["description"] = text
        return schema


class Choice(Options):
    """One choice of a section. A subclass declares `kind: Literal["its_name"]` first."""

    kind: str


def documentation(options: type[Options]) -> dict[str, str]:
    """Field -> its docstring, inherited ones included. Read from the source when asked for:

    pydantic's `use_attribute_docstrings` reads every class at import, a seventh of the time of `ftcli validate`.
    """
    found: dict[str, str] = {}
    for base in reversed(options.__mro__):
        if issubclass(base, Options):
            found |= _docstrings_in(base)
    return found


def _docstrings_in(options: type[Options]) -> dict[str, str]:
    (definition,) = ast.parse(dedent(getsource(options))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: cleandoc(text.value.value)
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def kinds(section: str) -> dict[str, type[Choice]]:
    """The choices of `ftcli.components.<section>`, by kind, in the order of their declaration or file name."""
    found: dict[str, type[Choice]] = {}
    for module in _modules(f"ftcli.components.{section}"):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Choice) and value.__module__ == module.__name__:
                for kind in get_args(value.model_fields["kind"].annotation):
                    found[kind] = value
    return found


def union_of(section: str) -> Any:
    """The pydantic type of a section: a mapping with `kind`, or the bare kind where no option is needed.

    A mapping without `kind` is the choice whose `kind` has a default, if one has.
    """
    choices = kinds(section)
    classes = tuple(dict.fromkeys(choices.values()))
    default = next((kind for kind, c in choices.items() if not c.model_fields["kind"].is_required()), None)
    union = Annotated[Union[classes], Field(discriminator="kind")]  # type: ignore[valid-type]  # noqa: UP007

    def complete(value: Any) -> Any:
        if isinstance(value, str):
            return {"kind": value}
        if isinstance(value, dict) and default and "kind" not in value:
            return {"kind": default, **value}
        return value

    short = Literal[tuple(choices)]  # type: ignore[valid-type]
    return Annotated[union, BeforeValidator(complete, json_schema_input_type=short | union)]


def implementation(options: Choice, function: str) -> Callable[..., Any]:
    """The function of that name in the file that declares the choice."""
    found: Callable[..., Any] = getattr(sys.modules[type(options).__module__], function)
    return found


def offers(options: Choice, function: str) -> bool:
    """Whether that file has a function of that name: some have more to say than others."""
    return hasattr(sys.modules[type(options).__module__], function)


def _modules(name: str) -> list[Any]:
    section = import_module(name)
    if not hasattr(section, "__path__"):
        return [section]
    files = sorted(info.name for info in iter_modules(section.__path__) if not info.name.startswith("_"))
    return [import_module(f"{name}.{file}") for file in files]
