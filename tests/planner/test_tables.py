"""Every row of the tables fires for what it describes, and the published examples come out."""

from __future__ import annotations

import pytest

from ftcli.errors import UsageError
from ftcli.planner.domain import DISTANCES, FAR_FROM, SCENARIOS, parse_domain
from ftcli.planner.measured import M
from ftcli.planner.table_rows import Case, Rates, Table
from ftcli.planner.tables import A, B, C, D
from ftcli.planner.trusted import TRUSTED, winning_row

MILLIONS = 2_000_000

ROWS = [
    # table, images, classes, domain: row, strategy, last stages, (early, late, head)
    (A, 500, None, "close", 0, "feature_extraction", None, (None, None, 1e-3)),
    (A, 5_000, None, "close", 1, "partial", 2, (None, 1e-4, 1e-3)),
    (A, 50_000, None, "close", 2, "full", None, (1e-4, 1e-4, 1e-3)),
    (A, 50_000, None, "far", 2, "full", None, (1e-4, 1e-4, 1e-3)),
    (A, 500_000, None, "far", 3, "full", None, (1e-4, 1e-4, 1e-3)),
    (B, MILLIONS, 10, "far", 0, "scratch", None, (1e-3, 1e-3, 1e-3)),
    (B, 300, 10, "far", 1, "lp_ft", None, (1e-5, 1e-4, 1e-3)),
    (B, 900_000, 10, "far", 1, "lp_ft", None, (1e-5, 1e-4, 1e-3)),
    (B, 500, 10, "close", 2, "feature_extraction", None, (None, None, 1e-3)),
    (B, 5_000, 10, "close", 3, "feature_extraction", None, (None, None, 1e-3)),
    (B, 50_000, 10, "close", 4, "partial", 2, (None, 1e-4, 1e-3)),
    (B, 500_000, 10, "close", 5, "full", None, (1e-4, 1e-4, 1e-3)),
    (C, 500, None, "far", 0, "feature_extraction", None, (None, None, 1e-3)),
    (C, 5_000, None, "close", 1, "partial", 1, (None, 1e-5, 1e-4)),
    (C, 50_000, None, "far", 2, "full", None, (3e-5, 3e-5, 3e-5)),
    (D, 500, None, "pets", 0, "feature_extraction", None, (None, None, 1e-3)),
    (D, 500, None, "food", 1, "partial", 2, (None, 1e-4, 1e-3)),
    (D, 500, None, "chest-xray", 2, "lp_ft", None, (1e-5, 1e-4, 1e-3)),
    (D, 500, None, "satellite", 3, "lp_ft", None, (1e-4, 1e-4, 1e-3)),
    (D, 500, None, "microscopy", 4, "full", None, (1e-4, 1e-4, 1e-3)),
    (D, 500, None, "close", 5, "feature_extraction", None, (None, None, 1e-3)),
    (D, 500, None, "far", 6, "partial", 2, (None, 1e-5, 1e-4)),
    (D, 50_000, None, "close", 7, "full", None, (1e-4, 1e-4, 1e-3)),
    (D, 50_000, None, "far", 8, "full", None, (1e-4, 1e-4, 1e-3)),
    (M, 500, 10, "0.4", 0, "full", None, (3e-4, 3e-4, 1e-3)),
    (M, 50, 10, "0.4", 0, "full", None, (3e-4, 3e-4, 1e-3)),
    (M, 200, 10, "far", 1, "full", None, (3e-4, 3e-4, 1e-3)),
    (M, 50, 10, "0.85", 1, "full", None, (3e-4, 3e-4, 1e-3)),
    (M, 200, 10, "chest-xray", 2, "full", None, (1e-4, 1e-4, 1e-3)),
]


def case(images: int, classes: int | None, domain: str) -> Case:
    return Case(images, parse_domain(domain), classes)


@pytest.mark.parametrize(
    ("table", "images", "classes", "domain", "index", "strategy", "stages", "rates"), ROWS
)
def test_a_row_fires_for_what_it_describes(
    table: Table,
    images: int,
    classes: int | None,
    domain: str,
    index: int,
    strategy: str,
    stages: int | None,
    rates: tuple[float | None, float | None, float],
) -> None:
    row = table.fired(case(images, classes, domain))
    assert row is table.rows[index]
    assert (row.strategy, row.last_stages, row.rates) == (strategy, stages, Rates(*rates))


def test_no_row_is_left_out_of_these_tests() -> None:
    assert {(t.letter, index) for t, _, _, _, index, *_ in ROWS} == {
        (t.letter, index) for t in TRUSTED for index in range(len(t.rows))
    }


@pytest.mark.parametrize(
    ("table", "images", "classes", "domain"),
    [
        (A, 500, None, "far"),
        (A, 5_000, None, "far"),
        (A, 500_000, None, "close"),
        (B, 500, None, "close"),
        (C, 99, None, "close"),
        (M, 200, None, "far"),
        (M, 40, 10, "far"),
        (M, 2_100, 10, "far"),
        (M, 200, 10, "close"),
        (M, 200, 10, "1"),
    ],
)
def test_a_table_that_says_nothing_of_a_case_is_silent(
    table: Table, images: int, classes: int | None, domain: str
) -> None:
    assert table.fired(case(images, classes, domain)) is None


@pytest.mark.parametrize(
    ("table", "classes", "last_below", "first_at"),
    [
        (A, None, 999, 1_000),
        (A, None, 9_999, 10_000),
        (B, 10, 999, 1_000),
        (B, 10, 9_999, 10_000),
        (B, 10, 100_009, 100_010),
        (C, None, 999, 1_000),
        (C, None, 9_999, 10_000),
        (D, None, 9_999, 10_000),
    ],
)
def test_rows_meet_at_their_bounds(table: Table, classes: int | None, last_below: int, first_at: int) -> None:
    below, at = (table.fired(case(images, classes, "close")) for images in (last_below, first_at))
    assert below is not None
    assert at is not None
    assert table.rows.index(at) == table.rows.index(below) + (1 if table is not D else 2)


def test_fifty_animal_photos_a_class_are_for_feature_extraction() -> None:
    row = winning_row(case(500, 10, "pets"))
    assert (row.table, row.strategy) == ("B", "feature_extraction")


@pytest.mark.parametrize("domain", DISTANCES)
@pytest.mark.parametrize("images", [2, 99, 1_000, 10**5, 10**9])
def test_every_case_has_an_answer(images: int, domain: str) -> None:
    assert winning_row(case(images, None, domain)).text
    assert winning_row(case(images, 2, domain)).table in ("M", "B")


def test_a_domain_is_a_word_a_scenario_or_a_distance() -> None:
    assert parse_domain("close").word == "close"
    assert parse_domain("far").word == "far"
    assert parse_domain("0").word == "close"
    assert parse_domain("0.49").word == "close"
    assert parse_domain(str(FAR_FROM)).word == "far"
    assert [parse_domain(s).scenario for s in SCENARIOS] == list(SCENARIOS)
    assert {s: parse_domain(s).word for s in SCENARIOS} == {
        "pets": "close",
        "food": "close",
        "satellite": "far",
        "chest-xray": "far",
        "microscopy": "far",
    }


@pytest.mark.parametrize("text", ["near", "", "1.1", "-0.1", "nan", "inf", "1e9", "Close!"])
def test_any_other_domain_is_refused_with_the_list(text: str) -> None:
    with pytest.raises(UsageError, match="there is no domain") as caught:
        parse_domain(text)
    assert caught.value.exit_code == 2
    assert "chest-xray" in str(caught.value.remedy)
