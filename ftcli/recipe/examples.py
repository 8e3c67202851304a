"""The example recipes: in the checkout's `recipes/`, inside the package where it is installed."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ftcli.errors import UsageError

_PACKAGE = Path(__file__).parents[1]
_EDITOR_LINE = "# yaml-language-server:"


@dataclass(frozen=True)
class Example:
    """`name` is its path without suffix, `vision/quickstart`; `description` its first line."""

    name: str
    path: Path
    text: str

    @property
    def description(self) -> str:
        return self.text.partition("\n")[0].lstrip("# ")

    def as_copy(self, path: Path) -> str:
        """The text for a copy at `path`: its commands name that file, the schema is left out."""
        lines = self.text.replace(f"recipes/{self.name}.yaml", str(path)).splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith(_EDITOR_LINE))


def examples_folder() -> Path:
    """Where the example recipes are."""
    installed = _PACKAGE / "example_recipes"
    return installed if installed.is_dir() else _PACKAGE.parent / "recipes"


def examples() -> list[Example]:
    """Every example recipe, by name."""
    folder = examples_folder()
    return [
        Example(path.relative_to(folder).with_suffix("").as_posix(), path, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*/*.yaml"))
    ]


def find_example(name: str) -> Example:
    """The example of that name; the folder may be left out. Raises UsageError that names the nearest."""
    wanted = name.removesuffix(".yaml")
    every = examples()
    for example in every:
        if wanted in (example.name, example.path.stem):
            return example
    names = [example.name for example in every]
    stems = {example.path.stem: example.name for example in every}
    near = get_close_matches(wanted, [*names, *stems], n=1)
    if near:
        remedy = f"did you mean {stems.get(near[0], near[0])!r}?"
    else:
        remedy = f"there are: {', '.join(names)}"
    raise UsageError(f"there is no example recipe {name!r}", remedy=remedy)
