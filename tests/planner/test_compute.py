"""`--compute`: minutes or a device; and what costs less than a row."""

from __future__ import annotations

import pytest

from ftcli.errors import UsageError
from ftcli.planner.compute import Compute, cheaper, parse_compute
from ftcli.planner.domain import parse_domain
from ftcli.planner.table_rows import Case
from ftcli.planner.tables import CAREFUL, HEAD, UPPER
from ftcli.planner.trusted import winning_row


def test_a_device_or_minutes() -> None:
    assert parse_compute("cpu") == Compute("cpu")
    assert parse_compute("gpu") == Compute("cuda")
    assert parse_compute("2.5") == Compute(minutes=2.5)


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "tpu", "minutes"])
def test_anything_else_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(UsageError, match="there is no compute") as caught:
        parse_compute(text)
    assert "minutes (20), cpu or gpu" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("images", "domain", "steps"),
    [
        (
            5_000,
            "far",
            [("partial", 2, CAREFUL), ("partial", 1, CAREFUL), ("feature_extraction", None, HEAD)],
        ),
        (
            500_000,
            "close",
            [("partial", 2, UPPER), ("partial", 1, UPPER), ("feature_extraction", None, HEAD)],
        ),
        (5_000, "close", [("partial", 1, UPPER), ("feature_extraction", None, HEAD)]),
        (500, "close", []),
    ],
)
def test_less_and_less_down_to_the_head(images: int, domain: str, steps: list[tuple[object, ...]]) -> None:
    classes = 10 if domain == "far" else None
    row = winning_row(Case(images, parse_domain(domain), classes))
    assert [(r.strategy, r.last_stages, r.rates) for r in cheaper(row)] == steps
