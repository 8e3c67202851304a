"""Whatever stands in a recipe: a Recipe, or an error that can be shown. Never a traceback."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, event
from hypothesis import strategies as st

from ftcli.cli.app import call
from ftcli.cli.outcome import run
from ftcli.errors import RecipeError
from ftcli.recipe.dump import dump_recipe
from ftcli.recipe.examples import examples
from ftcli.recipe.load import load_recipe
from ftcli.recipe.schema import Recipe
from ftcli.recipe.shape import choices_at, sections
from ftcli.report.errors import error_json, show_error
from tests.fuzz import fuzz

EXAMPLES = [example.text for example in examples()]
KEYS = sorted({key for classes in sections().values() for c in classes for key in c.model_fields})
KINDS = sorted({kind for path in sections() for kind in choices_at(path)})

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 200),
    st.integers(),
    st.floats(),
    st.sampled_from(
        [0.1, 1e-4, 0.9, "10%", "auto", "plateau", "layer4", "timm/x", "1e-3", "on", "${x}", "[red]"]
    ),
    st.sampled_from(KINDS),
    st.text(max_size=8),
)
keys = st.sampled_from([*KEYS, "kind", "kind", "<<", "on"]) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def options_of(path: str) -> st.SearchStrategy[Any]:
    """A section near the truth: a kind it has, and keys some kind of it has, with any values."""
    kinds = list(choices_at(path)) or ["full"]
    known = sorted({key for c in sections()[path] for key in c.model_fields})
    body = st.dictionaries(st.sampled_from(known) | keys, values, max_size=4)
    with_kind = st.builds(lambda kind, rest: {**rest, "kind": kind}, st.sampled_from(kinds), body)
    return st.one_of(st.sampled_from(kinds), with_kind, body, values)


TOP = [path for path in sections() if path and "." not in path and "[" not in path]
recipe_like = st.builds(
    lambda required, rest: {**required, **rest},
    st.fixed_dictionaries(
        {"data": options_of("data"), "model": options_of("model"), "strategy": options_of("strategy")}
    ),
    st.fixed_dictionaries({}, optional={path: options_of(path) for path in TOP}),
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """An example recipe with a few stretches replaced by other text."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        scrap = st.text(alphabet="\n -:?&*!|>'\"%@`{}[],#\t\\0eyx.<~", max_size=6) | st.sampled_from(
            KEYS + KINDS
        )
        text = text[:start] + draw(scrap) + text[end:]
    return text


texts = st.one_of(
    recipe_like.map(lambda data: yaml.safe_dump(data, allow_unicode=True)),
    recipe_like.map(json.dumps),
    values.map(lambda data: yaml.safe_dump(data, default_flow_style=True)),
    damaged(),
    st.text(max_size=60),
    st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")),
)
override = st.one_of(
    st.builds("{}={}".format, st.lists(keys, min_size=1, max_size=3).map(".".join), scalars),
    st.builds("{}[{}]={}".format, st.sampled_from(KEYS), st.integers(-1, 20), st.text(max_size=5)),
    st.text(max_size=20),
)


def check(path: Path, text: str, overrides: list[str]) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    outcome = load_or_error(path, overrides)
    event(type(outcome).__name__)
    if isinstance(outcome, Recipe):
        path.write_text(dump_recipe(outcome), encoding="utf-8")
        assert load_recipe(path) == outcome
        return
    assert outcome.exit_code == 2
    assert outcome.problems
    assert all(problem.message and problem.at for problem in outcome.problems)
    show_error(outcome, io.StringIO())
    json.loads(error_json(outcome))


def load_or_error(path: Path, overrides: list[str]) -> Recipe | RecipeError:
    try:
        return load_recipe(path, overrides)
    except RecipeError as error:
        return error


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "x.yaml"


@pytest.mark.fuzz
@pytest.mark.fault(12)
def test_any_recipe(path: Path, fault_count: Callable[[int, int], None]) -> None:
    drawn = {"text": texts, "overrides": st.lists(override, max_size=2)}
    fuzz(500, lambda text, overrides: check(path, text, overrides), fault_count, **drawn)


def check_command(path: Path, text: str, overrides: list[str]) -> None:
    """As a person meets it: the exit code, and what is printed."""
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    out, err = io.StringIO(), io.StringIO()
    sets = [f"--set={change}" for change in overrides]
    with redirect_stdout(out), redirect_stderr(err):
        code = run(call, ["validate", str(path), *sets])
    assert code in (0, 2), err.getvalue()
    assert "Traceback" not in err.getvalue()
    if code == 2 and any(is_recipe(line) for line in err.getvalue().splitlines()):
        assert re.search(r"(:\d+:\d+: |--set )", err.getvalue())


def is_recipe(line: str) -> bool:
    return line.startswith("error: the recipe has")


@pytest.mark.fuzz
@pytest.mark.fault(12)
def test_any_recipe_on_the_command_line(path: Path, fault_count: Callable[[int, int], None]) -> None:
    drawn = {"text": texts, "overrides": st.lists(override, max_size=2)}
    fuzz(50, lambda text, overrides: check_command(path, text, overrides), fault_count, **drawn)


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[str, int, str]:
    """An example recipe with two letters of one key exchanged; the line, and the key that was meant."""
    lines = draw(st.sampled_from(EXAMPLES)).splitlines()
    found = [(n, m) for n, line in enumerate(lines) if (m := re.match(r"( *)([a-z_]{5,}):", line))]
    number, match = draw(st.sampled_from(found))
    key, at = match[2], draw(st.integers(0, len(match[2]) - 2))
    wrong = key[:at] + key[at + 1] + key[at] + key[at + 2 :]
    assume(wrong != key)
    lines[number] = f"{match[1]}{wrong}{lines[number][match.end(2) :]}"
    return "\n".join(lines) + "\n", number + 1, key


@pytest.mark.fuzz
def test_a_misspelt_key_is_told_with_its_line_and_the_key_that_was_meant(
    path: Path, fault_count: Callable[[int, int], None]
) -> None:
    def check_nearest(given: tuple[str, int, str]) -> None:
        text, line, key = given
        path.write_text(text, encoding="utf-8")
        error = load_or_error(path, [])
        assert isinstance(error, RecipeError)
        told = [p for p in error.problems if p.at and p.at.startswith(f"{path}:{line}:")]
        assert any(key in (problem.remedy or "") for problem in told), error.problems

    fuzz(100, check_nearest, fault_count, given=misspelt())


@pytest.mark.fuzz
def test_every_problem_is_told_at_once(path: Path, fault_count: Callable[[int, int], None]) -> None:
    def check_all(text: str, places: set[str]) -> None:
        data = yaml.safe_load(text)
        wanted = {place for place in places if isinstance(data.get(place), dict)}
        for place in wanted:
            data[place]["zzz"] = 1
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        error = load_or_error(path, [])
        assert {p.path for p in getattr(error, "problems", ())} == {f"{place}.zzz" for place in wanted}

    drawn = {"text": st.sampled_from(EXAMPLES), "places": st.sets(st.sampled_from(TOP), max_size=6)}
    fuzz(100, check_all, fault_count, **drawn)
