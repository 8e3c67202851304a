"""The pages of an audit: readable in 80 columns, and safe whatever files are called."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from PIL import Image
from rich.console import Console

from ftcli.errors import DataError
from ftcli.findings import Finding
from ftcli.plans.audit import AuditReport, Pair
from ftcli.report.audit import WORST, audit_page
from ftcli.report.audit_html import MOST, audit_html

EVIL = '<script>alert("1")</script>[red]&\x1b[31m.png'


def report(pairs: int = 1, key: str = "train/cat/0001.png") -> AuditReport:
    made = Pair("near", 0, 1, key, "test/dog/x.png", ("train", "test"), ("cat", "dog"), "mirrored", 0.02)
    finding = Finding("error", "train-test", f"1 pair: {key}", "split again", "near-duplicate-across-splits")
    counts = {"train": 10_000, "val": 5, "test": 7}
    return AuditReport("photos", ("cat", "dog"), counts, (made,) * pairs, (finding,) if pairs else ())


def shown(made: AuditReport) -> str:
    out = StringIO()
    Console(file=out, width=80, markup=False, emoji=False, highlight=False).print(audit_page(made))
    return out.getvalue()


def image(index: int) -> Image.Image:
    return Image.new("RGB", (300, 200), (index, 0, 0))


@pytest.mark.parametrize("key", ["train/cat/0001.png", EVIL, "train/" + "long" * 40 + "/0001.png"])
def test_the_page_fits(key: str) -> None:
    page = shown(report(key=key))
    assert max(len(line.rstrip()) for line in page.splitlines()) <= 80
    assert "near copies" in page
    assert "cat or dog?" in re.sub(r"\s+", " ", page)
    assert "\x1b" not in page


def test_the_worst_and_how_many_more() -> None:
    assert f"and {25 - WORST} more" in shown(report(25))
    assert "more;" not in shown(report(1))


def test_nothing_found_is_said() -> None:
    assert "nothing found" in shown(report(0))
    assert "Nothing found" in audit_html(report(0), image)


def test_names_are_text_in_html() -> None:
    page = audit_html(report(key=EVIL), image)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page


def test_the_page_needs_nothing_else() -> None:
    page = audit_html(report(), image)
    assert page.count("data:image/jpeg;base64,") == 2
    assert not re.search(r"https?://|<link|<script|@import|url\(", page)
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page


def test_an_image_that_is_gone_is_left_out() -> None:
    def gone(index: int) -> Image.Image:
        raise DataError("cannot read the image")

    page = audit_html(report(), gone)
    assert "<img" not in page
    assert "mirrored" in page


def test_not_more_than_a_browser_can_show() -> None:
    page = audit_html(report(MOST + 50), image)
    assert page.count('class="pair"') == MOST
    assert f"the worst {MOST} of {MOST + 50}" in page
