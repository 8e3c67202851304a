"""What YAML becomes: types, places, and what is refused."""

from __future__ import annotations

import math
import sys

import pytest

from ftcli.errors import RecipeError
from ftcli.recipe.yaml_source import MAX_BYTES, MAX_DEPTH, MAX_PARTS, parse

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        (".5e-3", 0.5e-3),
        ("-1.", -1.0),
        ("3", 3),
        ("+3", 3),
        ("010", 10),
        ("0x10", "0x10"),
        ("0o7", "0o7"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-31", "2024-01-31"),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("n", "n"),
        ("null", None),
        ("~", None),
        ("''", ""),
        ("'1e-5'", "1e-5"),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("9" * 30, float("9" * 30)),
        ("[a, 1]", ["a", 1]),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_scalars_are_what_they_look_like(text: str, value: object) -> None:
    data = parse(f"key: {text}", "x").data["key"]
    assert data == value
    assert type(data) is type(value)


def test_the_keys_of_yaml_1_1_that_are_booleans_stay_keys() -> None:
    assert parse("{on: 1, yes: 2, y: 3}", "x").data == {"on": 1, "yes": 2, "y": 3}


def test_a_place_for_every_part() -> None:
    document = parse("a:\n  b: 1\nc:\n- d\n- {e: 2}\n", "x.yaml")
    places = {path: place.text for path, place in document.places.items()}
    assert places == {
        "": "x.yaml:1:1",
        "a": "x.yaml:1:1",
        "a.b": "x.yaml:2:3",
        "c": "x.yaml:3:1",
        "c[0]": "x.yaml:4:3",
        "c[1]": "x.yaml:5:3",
        "c[1].e": "x.yaml:5:4",
    }


def test_an_alias_stands_for_what_it_names() -> None:
    document = parse("a: &x {b: 1}\nc: *x\n", "x.yaml")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.places["c"].text == "x.yaml:2:1"
    assert document.places["c.b"].text == "x.yaml:1:8"


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("a: 1\nb: 2\na: 3", "x:3:1", "'a' is given twice, first in line 1"),
        ("a: 1\n1: 2", "x:2:1", "a key must be text, got 1"),
        ("a: 1\ntrue: 2", "x:2:1", "a key must be text, got true"),
        ("? [a, b]\n: 1", "x:1:3", "a key must be text"),
        ("a: {b: 1}\n<<: {c: 2}", "x:2:1", "merge keys (<<) are not supported"),
        ('a: "\\ud800"', "x:1:1", "'\\ud800' holds a control character"),
        ('a: "\\e[31m"', "x:1:1", "'\\x1b[31m' holds a control character"),
    ],
)
def test_what_is_told_while_the_rest_is_read(text: str, at: str, message: str) -> None:
    document = parse(text, "x")
    assert [(f.problem.at, f.problem.message) for f in document.found] == [(at, message)]
    assert isinstance(document.data, dict)


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("a: !!python/object:os.system x", "x:1:4", "a tag (tag:yaml.org,2002:python/object:os.system)"),
        ("a: !secret x", "x:1:4", "a tag (!secret) is not allowed"),
        ("! a", "x:1:1", "a tag (!) is not allowed"),
        ("a: 1\n---\nb: 2", "x:2:1", "another document"),
        ("a: *nowhere", "x:1:4", "undefined alias 'nowhere'"),
        ("a: &a [*a]", "x:1:4", "an alias stands inside of what it names"),
        ("[" * 5000, f"x:1:{MAX_DEPTH + 1}", f"more than {MAX_DEPTH} levels deep"),
        (
            "a: &a [1]\n" + "\n".join(f"k{i}: &k{i} [*{f'k{i - 1}' if i else 'a'}]" for i in range(50)),
            "x:1:4",
            f"more than {MAX_DEPTH} levels deep",
        ),
        (BOMB, None, "more than 2,000 values"),
        ("a: b: c", "x:1:5", "mapping values are not allowed here"),
        ("a:\n\t- b", "x:2:1", "found character '\\t'"),
        ("a: [1, 2", "x:1:9", "not valid YAML"),
        ("a: 'b", "x:1:6", "unexpected end of stream"),
        ("a: 1\nb: \x00", "x:2:4", "the character '\\x00' is not allowed"),
        ('a: "\\UFFFFFFFF"', "x:1:1", "not valid YAML"),
        ("%YAML 9.9\n---\na: 1", "x:1:1", "not valid YAML"),
    ],
)
def test_what_ends_the_reading(text: str, at: str | None, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse(text, "x")
    (problem,) = error.value.problems
    assert message in problem.message
    assert at is None or problem.at == at


def calls_of(text: str) -> int:
    """How many functions of Python's are called before a text is refused: the work, whatever the machine does."""
    count = 0

    def tick(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(tick)
    try:
        with pytest.raises(RecipeError):
            parse(text, "x")
    finally:
        sys.setprofile(before)
    return count


FULL = MAX_BYTES - 64
BOMBS = {
    "nine to the ninth": BOMB,
    "two to the thirtieth": "a0: &a0 [x, x]\n"
    + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 30)),
    "one that is long, often": "a: &a [" + "x," * 1_900 + "]\nb: [" + "*a," * (FULL // 3 - 1_900) + "]",
    "mappings in mappings": "a: &a {k: v}\n"
    + "".join(f"c{i}: {{l: *a, m: *a}}\n" for i in range(FULL // 24)),
    "one long text, often": "a: &a " + "x" * 50_000 + "\nb: [" + "*a," * 1_900 + "]",
    "an alias for itself": "a: &a [*a, *a, *a]",
    "a list": "a: [" + "x," * (FULL // 2) + "]",
    "keys": "".join(f"k{i}: 1\n" for i in range(FULL // 10)),
    "one key, often": "a: 1\n" * (FULL // 5),
    "anchors": "".join(f"- &a{i} x\n" for i in range(FULL // 12)),
    "merge keys": "a: &a {b: 1}\n" + "".join(f"c{i}: {{<<: *a}}\n" for i in range(FULL // 18)),
}
MOST_CALLS = 500_000
"""A recipe of MAX_PARTS values, which is read, takes about as many; nine to the ninth would take 1e9."""
MOST_CALLS_OF_ALIASES = 300_000
"""Under 100 ms of a slow core."""


@pytest.mark.fault(11)
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_after_little_work(name: str) -> None:
    assert len(BOMBS[name]) <= MAX_BYTES
    assert calls_of(BOMBS[name]) < (MOST_CALLS_OF_ALIASES if "*a" in BOMBS[name] else MOST_CALLS)


def test_as_many_aliases_as_there_may_be_values_are_read() -> None:
    document = parse("a: &a {k: 1, l: [2, 3]}\nb: [" + ", ".join(["*a"] * 300) + "]", "x")
    assert document.data["b"] == [{"k": 1, "l": [2, 3]}] * 300


def test_a_recipe_of_as_many_values_as_there_may_be_is_read() -> None:
    document = parse("a: {" + ", ".join(f"k{i}: 1" for i in range(MAX_PARTS - 2)) + "}", "x")
    assert len(document.data["a"]) == MAX_PARTS - 2
