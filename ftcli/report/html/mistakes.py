"""The test examples that the network is wrong about and most sure of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ftcli.errors import DataError
from ftcli.report import numbers
from ftcli.report.html.pictures import gone, passage, picture
from ftcli.report.html.pieces import note, section
from ftcli.report.html.text import foreign
from ftcli.workflows.predictions_table import Answer, Answers
from ftcli.workflows.report_images import OpenImage, images_or_reason
from ftcli.workflows.report_run import RunRecord

MOST = 24
_NAME = 44
_THRESHOLD = 0.5


@dataclass(frozen=True)
class Mistake:
    """`said` is the class that is wrong (or, of multi-label data, wrongly missing), at a probability of `sure`."""

    answer: Answer
    said: str
    sure: float
    missed: bool = False
    """The class is there and was not seen; `sure` is then of its absence."""
    of_true: float | None = None
    """The probability of the true class; None where it is not known, or there may be several."""


def mistakes_of(answers: Answers) -> list[Mistake]:
    """The surest first; of an example the surest."""
    found = list(_of_several(answers) if answers.multi_label else _of_one(answers))
    return sorted(found, key=lambda mistake: -mistake.sure)


def _of_one(answers: Answers) -> Iterator[Mistake]:
    place = {name: number for number, name in enumerate(answers.classes)}
    for answer in answers.lines:
        if answer.labels != answer.predicted:
            number = place.get(answer.labels[0])
            of_true = None if number is None else answer.probabilities[number]
            yield Mistake(answer, answer.predicted[0], answer.confidence, of_true=of_true)


def _of_several(answers: Answers) -> Iterator[Mistake]:
    for answer in answers.lines:
        wrong = [
            Mistake(answer, name, value if value >= _THRESHOLD else 1 - value, missed=value < _THRESHOLD)
            for name, value in zip(answers.classes, answer.probabilities, strict=True)
            if (value >= _THRESHOLD) != (name in answer.labels)
        ]
        if wrong:
            yield max(wrong, key=lambda mistake: mistake.sure)


def mistakes(run: RunRecord) -> str:
    if run.answers is None or not run.answers.lines:
        return ""
    found = mistakes_of(run.answers)
    title = "Most confidently wrong"
    if not found:
        return section("mistakes", title, "<p>No test example is classified wrongly.</p>")
    load = run.image or images_or_reason(run.recipe)
    told = f"{len(found):,} of {len(run.answers.lines):,} test examples are wrong"
    told += f"; these are the {MOST} it was surest of" if len(found) > MOST else ""
    missing = f"; none is shown: {foreign(load, 200)}" if isinstance(load, str) else ""
    items = "\n".join(_item(mistake, load) for mistake in found[:MOST])
    return section(
        "mistakes",
        title,
        f"<p>{told}{missing}.</p>",
        f'<ol class="pictures">\n{items}\n</ol>',
        note("Often the label is wrong, two things are to be seen, or training has hardly anything like it."),
    )


def _item(mistake: Mistake, load: OpenImage | str) -> str:
    answer = mistake.answer
    true = " and ".join(foreign(name, _NAME) for name in answer.labels) or "no class"
    share = "" if mistake.of_true is None else f" ({numbers.accuracy(mistake.of_true)})"
    verb = "not seen" if mistake.missed else "taken for"
    said = f"{verb} <strong>{foreign(mistake.said, _NAME)}</strong> ({numbers.accuracy(mistake.sure)})"
    shown = "" if isinstance(load, str) else _example(answer.name, load)
    return f"<li>{shown}<div>{true}{share}, {said}</div><small>{foreign(answer.name, _NAME)}</small></li>"


def _example(name: str, load: OpenImage) -> str:
    """Its name stands below, and says what it is."""
    try:
        found = load(name)
    except DataError:
        return gone("it is gone")
    return passage(found) if isinstance(found, str) else picture(found, "")
