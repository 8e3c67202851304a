"""What would change the answer: the next sizes up and down, and the other domain."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from math import inf

from ftcli.planner.domain import DISTANCES, FAR_FROM, Domain
from ftcli.planner.table_rows import Case
from ftcli.planner.trusted import TRUSTED, winning_row


def changes(case: Case, now: Collection[str]) -> Iterator[str]:
    """Neighbours of the case that get another answer than `now`, and which."""
    larger = (replace(case, num_images=size) for size in _sizes(case) if size > case.num_images)
    smaller = (replace(case, num_images=size - 1) for size in _sizes(case)[::-1] if size <= case.num_images)
    other = replace(case, domain=Domain(DISTANCES["close" if case.domain.is_far else "far"]))
    for words, neighbours in (
        ("with {:,} images or more", larger),
        ("with {:,} images or fewer", smaller),
        (_other_domain(case.domain), [other]),
    ):
        found = next((n for n in neighbours if winning_row(n).trains not in now), None)
        if found is not None:
            row = winning_row(found)
            yield f"{words.format(found.num_images)}: {row.trains} (table {row.table})"


def _other_domain(domain: Domain) -> str:
    """With the bound, and how far away it lies."""
    where = f"below {FAR_FROM:g}" if domain.is_far else f"of {FAR_FROM:g} or more"
    word = "close" if domain.is_far else "far"
    return f"with a {word} domain (a distance {where}, {abs(domain.distance - FAR_FROM):.2g} from here)"


def _sizes(case: Case) -> list[int]:
    """The numbers of images, of which every class has one, at which some row begins or ends; ascending."""
    classes = case.num_classes
    rows = [row for table in TRUSTED for row in table.rows]
    bounds = {bound for row in rows for bound in (row.images.low, row.images.end)}
    if classes is not None:
        spans = (row.per_class for row in rows if row.per_class is not None)
        bounds |= {bound * classes for span in spans for bound in (span.low, span.end)}
    return sorted(int(bound) for bound in bounds if (classes or 1) < bound < inf)
