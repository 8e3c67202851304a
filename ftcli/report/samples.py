"""What a language model makes of prompts, as lines: its prompt quietly, what it adds behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ftcli.plans.samples import Sample
from ftcli.report.safe_text import plain
from ftcli.report.style import QUIET, STRONG

_SHOWN = 160
"""Characters of a sample in the summary; samples.json has all."""


def samples_view(samples: Sequence[Sample]) -> Iterator[Text]:
    """Of each prompt what it was gone on with before and after; nothing where there are none."""
    if not samples:
        return
    yield Text("")
    yield Text("samples:", style=STRONG)
    for sample in samples:
        yield plain(_one_line(sample.prompt), QUIET)
        for name, text in (("before", sample.before), ("after", sample.after)):
            if text is not None:
                yield Text.assemble(("  ", ""), (f"{name:>6}  ", QUIET), plain(_one_line(text)))


def continuations_view(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Each as it reads: the prompt, and what was added."""
    shown: list[Text] = []
    for each in found:
        lines = [plain(line) for line in str(each["text"]).splitlines()] or [Text("")]
        lines[0] = Text.assemble(plain(str(each["prompt"]), QUIET), lines[0])
        shown += [*lines, Text("")]
    return Group(*shown[:-1])


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 3]}..."
