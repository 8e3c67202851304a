"""What would change the answer: the next sizes up and down, and the next distances of the domain."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from math import inf

from ftcli.planner.domain import FAR_FROM
from ftcli.planner.table_rows import Case, Row
from ftcli.planner.trusted import TRUSTED, winning_row

Neighbour = tuple[str, Case]
"""What is different, in words, and the case."""
STEP = 0.01
"""Distances are told in hundredths."""


def changes(case: Case, now: Collection[str]) -> Iterator[str]:
    """Per direction the nearest case in which something else than `now` trains, and which; before it, where there is
    one, the nearest in which the same trains at other LRs."""
    here = winning_row(case)
    for neighbours in (_larger(case), _smaller(case), _nearer(case), _further(case)):
        lr_told = False
        for words, neighbour in neighbours:
            row = winning_row(neighbour)
            if row.trains not in now:
                yield f"{words}: {row.trains} (table {row.table})"
                break
            if not lr_told and _backbone(row) != _backbone(here) and row.trains == here.trains:
                yield f"{words}: {row.trains}, but {_told(_backbone(row))} (table {row.table})"
                lr_told = True


def _larger(case: Case) -> Iterator[Neighbour]:
    for size in _sizes(case):
        if size > case.num_images:
            yield f"with {size:,} images or more", replace(case, num_images=size)


def _smaller(case: Case) -> Iterator[Neighbour]:
    for size in reversed(_sizes(case)):
        if size <= case.num_images:
            yield f"with {size - 1:,} images or fewer", replace(case, num_images=size - 1)


def _nearer(case: Case) -> Iterator[Neighbour]:
    for bound in reversed(_distances()):
        if bound <= case.domain.distance:
            yield _at(case, f"below {bound:g}", bound, bound - STEP)


def _further(case: Case) -> Iterator[Neighbour]:
    for bound in _distances():
        if bound > case.domain.distance:
            yield _at(case, f"of {bound:g} or more", bound, bound)


def _at(case: Case, where: str, bound: float, distance: float) -> Neighbour:
    """With how far away it lies."""
    domain = replace(case.domain, distance=distance)
    word = f", a {domain.word} domain" if domain.word != case.domain.word else ""
    gap = abs(case.domain.distance - bound)
    return f"at a distance {where}{word} ({gap:.2g} from here)", replace(case, domain=domain)


def _backbone(row: Row) -> list[float]:
    """The LRs where it trains, ascending; the head's is nearly the same everywhere."""
    return sorted({rate for rate in (row.rates.early, row.rates.late) if rate is not None})


def _told(rates: list[float]) -> str:
    return f"at {' to '.join(f'{rate:.0e}'.replace('e-0', 'e-') for rate in rates)}"


def _sizes(case: Case) -> list[int]:
    """The numbers of images, of which every class has one, at which some row begins or ends; ascending."""
    classes = case.num_classes
    rows = [row for table in TRUSTED for row in table.rows]
    bounds = {bound for row in rows for bound in (row.images.low, row.images.end)}
    if classes is not None:
        spans = (row.per_class for row in rows if row.per_class is not None)
        bounds |= {bound * classes for span in spans for bound in (span.low, span.end)}
    return sorted(int(bound) for bound in bounds if (classes or 1) < bound < inf)


def _distances() -> list[float]:
    """At which some row begins or ends, or a domain becomes far; ascending."""
    spans = [row.distances for table in TRUSTED for row in table.rows]
    return sorted({bound for span in spans for bound in (span.low, span.end) if 0 < bound < inf} | {FAR_FROM})
