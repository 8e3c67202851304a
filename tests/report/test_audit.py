"""The pages of an audit: readable in 80 columns, and safe whatever files are called."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console, RenderableType

from ftcli.errors import DataError
from ftcli.events import Working
from ftcli.findings import Finding
from ftcli.plans.audit import AuditReport, NotChecked, Pair
from ftcli.report.audit import WORST, audit_json, audit_page, written_page
from ftcli.report.audit_html import MOST, audit_html
from ftcli.report.audit_progress import audit_progress
from ftcli.workflows.audit_split import Mended

EVIL = '<script>alert("1")</script>[red]&\x1b[31m.png'


def report(pairs: int = 1, key: str = "train/cat/0001.png") -> AuditReport:
    made = Pair("near", 0, 1, key, "test/dog/x.png", ("train", "test"), ("cat", "dog"), "mirrored", 0.02)
    finding = Finding("error", "train-test", f"1 pair: {key}", "split again", "near-duplicate-across-splits")
    counts = {"train": 10_000, "val": 5, "test": 7}
    found = (finding,) if pairs else ()
    missing = (NotChecked("time", "no column names it: data.time_column"),)
    return AuditReport("photos", ("cat", "dog"), counts, (made,) * pairs, found, not_checked=missing)


def shown(made: AuditReport) -> str:
    return text_of(audit_page(made))


def text_of(page: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=80, markup=False, emoji=False, highlight=False).print(page)
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
    assert page.count("cannot be opened") == 2
    assert "mirrored" in page


def test_not_more_than_a_browser_can_show() -> None:
    page = audit_html(report(MOST + 50), image)
    assert page.count('class="pair"') == MOST
    assert f"the worst {MOST} of {MOST + 50}" in page


def test_what_was_not_checked_is_said_everywhere() -> None:
    made = report(0)
    assert "time  no column names it: data.time_column" in re.sub(r"  +", "  ", shown(made))
    assert "no column names it: data.time_column" in audit_html(made, image)
    assert audit_json(made)["not_checked"] == [
        {"what": "time", "why": "no column names it: data.time_column"}
    ]


class _Outline(HTMLParser):
    """Tags in their order, those that are open, and the attributes of each."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


@pytest.mark.parametrize("key", ["train/cat/0001.png", EVIL])
def test_the_markup_is_whole(key: str) -> None:
    """Every tag closed, one h1, tables with headers that say of what, images with words for them."""
    outline = _Outline()
    outline.feed(audit_html(report(2, key), image))
    assert outline.open == []
    assert outline.named("html") == [{"lang": "en"}]
    assert len(outline.named("h1")) == len(outline.named("main")) == 1
    assert len(outline.named("caption")) == len(outline.named("table")) > 0
    assert all(cell.get("scope") in ("col", "row") for cell in outline.named("th"))
    assert all(picture["alt"] for picture in outline.named("img"))
    assert not {tag for tag, _ in outline.seen} & {"script", "link", "iframe", "a", "form", "object"}


@pytest.mark.parametrize("words", ["@media print", "@media (max-width", "prefers-color-scheme: dark"])
def test_the_page_suits_paper_telephones_and_the_night(words: str) -> None:
    assert words in audit_html(report(), image)


def test_a_written_split_is_told_with_what_remains() -> None:
    left_out = {f"train/{i}.png": "the same image is labelled cat and dog" for i in range(5)}
    whole = re.sub(
        r"\s+", " ", text_of(written_page(Path("page.html"), Mended(Path("s.json"), report(0), 3, left_out)))
    )
    assert "page.html" in whole
    assert "s.json: 10,000 train, 5 val, 7 test; 3 moved, 5 left out" in whole
    assert "train/2.png: the same image" in whole
    assert "and 2 more" in whole
    assert "no error and no warning remains" in whole
    torn = text_of(written_page(None, Mended(Path("s.json"), report(1), 3, {})))
    assert "this remains" in torn
    assert "split again" in torn
    assert "no warning remains" not in torn


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def drawn(stream: StringIO, *, as_json: bool = False) -> str:
    console = Console(file=stream, width=80, force_terminal=stream.isatty(), legacy_windows=False)
    with audit_progress(console, as_json=as_json) as tell:
        tell(Working("auditing images", 5, 10))
        tell(Working("auditing images", 10, 10))
    return stream.getvalue()


def test_progress_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert "auditing images" in drawn(_Terminal())
    assert "\x1b[?25h" in drawn(_Terminal())  # the cursor is back
    assert drawn(StringIO()) == ""
    assert drawn(_Terminal(), as_json=True) == ""


def test_a_bar_is_not_redrawn_for_every_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = _Terminal()
    with audit_progress(Console(file=stream, width=80, force_terminal=True)) as tell:
        for done in range(1, 1000):
            tell(Working("auditing images", done, 1000))
    assert stream.getvalue().count("auditing images") < 100
