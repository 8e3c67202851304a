"""The report of a run as a page: whole, safe whatever anything is called, and readable by anybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ftcli.events import EpochDone
from ftcli.plans.forgetting import Forgetting
from ftcli.plans.signals import Signals, StageDrift
from ftcli.report.html.confusion import confusion
from ftcli.report.html.page import report_page
from ftcli.report.html.report_style import REPORT
from ftcli.report.html.study import study_page
from ftcli.report.html.style import BASE
from ftcli.workflows.predictions_table import Answer, Answers
from ftcli.workflows.report_run import RunRecord
from tests.report.compare_samples import FOUND
from tests.report.html.run_samples import (
    CLASSES,
    HOSTILE,
    Outline,
    answers,
    full_report,
    record,
    result,
    scores,
)

SECTIONS = (
    "floor-and-ceiling",
    "curves",
    "freeze",
    "confusion",
    "classes",
    "calibration",
    "mistakes",
    "leaks",
    "findings",
    "repeat",
)


def hostile() -> RunRecord:
    made = record(HOSTILE)
    assert made.result is not None
    return replace(
        made,
        path=Path("runs") / HOSTILE[0],
        answers=answers(HOSTILE, names=HOSTILE * 20),
        result=replace(made.result, verdict=HOSTILE[0], backbone=HOSTILE[1]),
        environment={"python": HOSTILE[0], "packages": {HOSTILE[0]: HOSTILE[1]}},
        split={"source": HOSTILE[0], "counts": {HOSTILE[1]: 3}},
        recipe_text="\n".join(HOSTILE),
        unreadable=HOSTILE,
        summary={"drift": [{"stage": HOSTILE[0], "weights": 0.04, "features": 0.2}]},
    )


def unfinished() -> RunRecord:
    return replace(record(), result=None, answers=None)


def signals(epoch: int) -> Signals:
    """The head moves most, the stem not at all."""
    moved = {"stem": 0.0, "layer1": 0.001 * epoch, "layer4": 0.01 * epoch, "head": 0.9}
    return Signals(tuple(StageDrift(stage, weights) for stage, weights in moved.items()), 0.01, 0.5)


def bare() -> RunRecord:
    """Nothing but a recipe, and that of another version."""
    nothing: dict[str, Any] = {"result": None, "answers": None, "plan": None, "recipe": None, "epochs": ()}
    return replace(record(), **nothing, environment={}, split={}, recipe_text="")


MADE: dict[str, Callable[[], str]] = {
    "plain": lambda: report_page(record()),
    "hostile": lambda: report_page(hostile()),
    "unfinished": lambda: report_page(unfinished()),
    "bare": lambda: report_page(bare()),
    "many classes": lambda: report_page(record(tuple(f"class {number}" for number in range(120)))),
    "study": lambda: study_page([record(), hostile(), unfinished()]),
    "compared": lambda: study_page([record(), hostile()], FOUND),
}


@cache
def page_of(name: str) -> str:
    return MADE[name]()


@pytest.mark.parametrize("name", MADE)
def test_the_markup_is_whole(name: str) -> None:
    """Every tag closed, landmarks, one h1, no heading skipped, tables and pictures that say what they are."""
    outline = Outline(page_of(name))
    assert outline.open == []
    assert outline.named("html") == [{"lang": "en"}]
    assert len(outline.named("h1")) == len(outline.named("main")) == len(outline.named("nav")) == 1
    assert len(outline.named("header")) == len(outline.named("footer")) == 1
    levels = [int(tag[1]) for tag, _ in outline.seen if re.fullmatch(r"h\d", tag)]
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    assert len(outline.named("caption")) == len(outline.named("table"))
    assert all(cell.get("scope") in ("col", "row") for cell in outline.named("th"))
    assert all("alt" in picture for picture in outline.named("img"))
    drawings = outline.named("svg")
    assert all(d.get("aria-hidden") or (d.get("role") == "img" and d["aria-label"]) for d in drawings)
    assert outline.named("a")[0] == {"class": "skip", "href": "#main"}


@pytest.mark.parametrize("name", MADE)
def test_every_link_leads_somewhere_in_the_page(name: str) -> None:
    outline = Outline(page_of(name))
    places = [attributes["id"] for _, attributes in outline.seen if "id" in attributes]
    assert len(set(places)) == len(places)
    assert {str(link["href"])[1:] for link in outline.named("a")} <= set(places)


@pytest.mark.parametrize("name", MADE)
def test_the_page_needs_nothing_else(name: str) -> None:
    outline = Outline(page_of(name))
    assert not {tag for tag, _ in outline.seen} & {"script", "link", "iframe", "form", "object", "base"}
    given = {key for _, attributes in outline.seen for key in attributes}
    assert not {key for key in given if key.startswith("on") or key == "srcset"}
    assert all(str(picture["src"]).startswith("data:image/") for picture in outline.named("img"))
    (policy,) = [m for m in outline.named("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not re.search(r"https?://|url\(|@import", page_of(name))


def test_names_are_text() -> None:
    assert not re.search("[\u202e\x1b\x00-\x09]", page_of("hostile"))
    told = "".join(Outline(page_of("hostile")).text)
    for shown in (*HOSTILE[:2], r"\u202egnp.exe", HOSTILE[4], r"two\nlines\x1b[31m"):
        assert shown in told


def test_names_of_runs_are_text() -> None:
    page = study_page([replace(record(), path=Path(f"runs/{name.replace('/', '')}")) for name in HOSTILE])
    assert not re.search("[\u202e\x1b\x00-\x09]", page)
    outline = Outline(page)
    assert "script" not in {tag for tag, _ in outline.seen}
    assert r"\u202egnp.exe" in "".join(outline.text)


def test_a_long_name_is_cut_and_whole_in_its_title() -> None:
    outline = Outline(page_of("hostile"))
    assert HOSTILE[3] in {attributes.get("title") for attributes in outline.named("bdi")}
    shown = re.findall(r"<bdi[^>]*>([^<]*)</bdi>", page_of("hostile"))
    assert len(shown) > 100
    assert max(len(unescape(name)) for name in shown) <= 60


def test_a_complete_run_has_every_section() -> None:
    headings = [heading["id"] for heading in Outline(page_of("plain")).named("h2")]
    assert headings == list(SECTIONS)
    told = re.sub(r"\s+", " ", "".join(Outline(page_of("plain")).text))
    for words in (
        "Fine-tuning paid",
        "80.0%95%: 70.0 to 90.0; of 60 examples; macro F1 0.790",
        "70.0% → 84.0%",
        "0 of 62",
        "unfreezes stem, layer1, layer2, layer3, layer4",
        "ftcli train runs/pets/recipe.yaml",
        "without the examples that the audit found",
        "test accuracy is 78.0%",
    ):
        assert words in told, words


def test_drift_is_shown_where_it_was_measured() -> None:
    stages = [
        {"stage": "stem", "weights": 0.04, "statistics": None, "features": None},
        {"stage": "layer1", "weights": 12.3, "statistics": 0.5, "features": 0.21},
    ]
    told = "".join(Outline(report_page(replace(record(), summary={"drift": stages}))).text)
    assert "How far it moved" in told
    assert all(words in told for words in ("4.0%", "12x", "50.0%", "21.0%"))
    assert "How far it moved" not in page_of("plain")


def test_what_was_forgotten_is_shown_where_it_was_measured() -> None:
    run = record()
    assert run.result is not None
    for p, chance in ((6e-6, "more than chance"), (0.3, "no more than other images")):
        forgot = replace(run.result, forgetting=Forgetting(120, 10, 0.8167, 0.6417, 22, 1, p))
        outline = Outline(report_page(replace(run, result=forgot)))
        told = re.sub(r"\s+", " ", "".join(outline.text))
        assert "forgetting" in [heading["id"] for heading in outline.named("h2")]
        for words in ("81.7%98120", "64.2%77120", "22 images were right before", chance):
            assert words in told, words
    assert "What was forgotten" not in page_of("plain")


def test_drift_by_epoch_is_a_chart() -> None:
    """Of the backbone's stages; one that never moved has no line."""
    run = record()
    epochs = tuple(replace(row, signals=signals(row.epoch)) for row in run.epochs)
    final = [{"stage": each.stage, "weights": each.weights} for each in signals(5).drift]
    page = report_page(replace(run, epochs=epochs, summary={"drift": final}))
    assert "in the end: layer4 5.0%; layer1 0.5%." in page


def test_a_broken_proof_is_said_first() -> None:
    run = record()
    assert run.plan is not None
    moved = result(
        run.plan, frozen=replace(result(run.plan).frozen, changed=1, names=("layer1.0.bn1.running_mean",))
    )
    page = report_page(replace(run, result=moved))
    assert page.index("The proof failed") < page.index("Floor to ceiling")
    assert "Fine-tuning paid" not in page
    assert "layer1.0.bn1.running_mean" in page


def test_what_is_not_there_is_not_made_up() -> None:
    assert "Not finished" in page_of("unfinished")
    assert "6 epochs so far" in page_of("unfinished")
    assert "No epoch yet" in page_of("bare")
    assert "Calibration" not in page_of("bare")
    assert "mistakes" not in page_of("unfinished")


def test_images_that_are_gone_are_said_to_be() -> None:
    assert "none is shown" in page_of("plain")
    assert "<img" not in page_of("plain")


def test_texts_stand_where_images_do_and_stay_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "It came\n late <script>alert('gotcha')</script> \x1b[31m" + "word " * 200
    monkeypatch.setattr("ftcli.report.html.mistakes.images_or_reason", lambda recipe: lambda name: told)
    page = report_page(record())
    assert '<blockquote class="passage" dir="auto">It came late &lt;script&gt;alert(' in page
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "word " * 100 not in page


def test_images_lie_in_the_page_and_its_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise, which no format makes small."""
    noise = Image.effect_noise((900, 700), 200).convert("RGB")
    monkeypatch.setattr("ftcli.report.html.mistakes.images_or_reason", lambda recipe: lambda name: noise)
    page = report_page(record())
    assert page.count("data:image/jpeg;base64,") == 20
    assert len(page.encode()) < 2_000_000


def test_a_large_run_stays_small() -> None:
    """A thousand epochs, 200 classes, 20,000 test examples, 300 findings."""
    classes = tuple(f"class {number}" for number in range(200))
    run = record(classes)
    assert run.result is not None
    last = run.epochs[-1]
    epochs = (*run.epochs, *(replace(last, epoch=number) for number in range(6, 1000)))
    findings = run.result.findings * 150
    many = replace(run.answers, lines=run.answers.lines * 300) if run.answers else None
    page = report_page(
        replace(run, epochs=epochs, answers=many, result=replace(run.result, findings=findings))
    )
    assert len(page.encode()) < 2_000_000


def test_a_loss_that_is_no_number_does_not_spoil_the_chart() -> None:
    run = record()
    broken: tuple[EpochDone, ...] = (
        *run.epochs[:3],
        replace(run.epochs[3], train_loss=float("nan")),
        *run.epochs[4:],
    )
    page = report_page(replace(run, epochs=broken))
    assert "nan," not in page
    assert page.count('class="line s0" points=') == report_page(run).count('class="line s0" points=') + 1


def test_several_labels_to_an_example() -> None:
    run = record()
    assert run.result is not None
    lines = (
        Answer("both.png", ("cat", "dog"), ("cat",), 0.6, (0.9, 0.02, 0.1)),
        Answer("none.png", (), ("fish",), 0.7, (0.1, 0.2, 0.97)),
        Answer("right.png", ("fish",), ("fish",), 0.9, (0.1, 0.1, 0.9)),
    )
    report = {k: v for k, v in full_report().items() if k != "confusion"} | {
        "multi_label": True,
        "mean_average_precision": 0.6,
        "intervals": {"mean_average_precision": [0.5, 0.7]},
    }
    several = scores(0.5, mean_average_precision=0.6)
    told = replace(run.result, test=several, test_report=report, floor=several, ceiling=several)
    epochs = tuple(replace(row, val=several) for row in run.epochs)
    page = report_page(
        replace(run, result=told, answers=Answers(CLASSES, lines, multi_label=True), epochs=epochs)
    )
    text = re.sub(r"\s+", " ", "".join(Outline(page).text))
    assert "Test mAP60.0%" in text
    assert "cat and dog, not seen dog (98.0%)" in text
    assert "no class, taken for fish (97.0%)" in text
    assert "2 of 3 test examples are wrong" in text
    assert "Confusion matrix" not in text


def test_more_classes_than_cells_are_a_picture() -> None:
    told = confusion(record(tuple(f"class {number}" for number in range(60))))
    assert "data:image/png;base64," in told
    assert "1,200 of 4,740 on the diagonal" in told
    assert "<table" in told


def _colours(style: str, scheme: str) -> dict[str, str]:
    """The variables that a page of that scheme has."""
    rules = re.findall(r"(@media[^{]*\{\s*)?:root \{([^}]*)\}", style)
    wanted = [body for media, body in rules if not media or scheme in media]
    return dict(re.findall(r"--([\w]+): (#[0-9a-f]{3,6})\b", " ".join(wanted)))


def _contrast(one: str, other: str) -> float:
    """By WCAG 2.2."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_the_contrast_is_enough(scheme: str) -> None:
    """4.5 for text, on the page and on what is set off from it; 3 for lines of charts."""
    colours = _colours(BASE + REPORT, scheme)
    assert _contrast("#000", "#fff") == pytest.approx(21)
    for ink in ("ink", "quiet", "accent", "good", "caution", "bad"):
        for ground in ("back", "soft"):
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for number in range(8):
        assert _contrast(colours[f"c{number}"], colours["back"]) >= 3
        assert _contrast(colours[f"c{number}"], colours["band"]) >= 3


def test_lines_of_a_chart_differ_in_their_dashes() -> None:
    dashes = [
        re.search(rf"\.s{n} \{{[^}}]*?(?:stroke-dasharray: ([\d ]+))?;? ?\}}", REPORT) for n in range(8)
    ]
    assert len({found[1] if found else None for found in dashes}) == 8
