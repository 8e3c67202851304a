"""A file name that spells another class than the one it was put into."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ftcli.findings import Finding
from ftcli.planner.audit_rules.seen import Seen, number, some

_LEAST_LETTERS = 3
"""A shorter class name (a, 7, no) is in many file names by chance."""


def spelled(seen: Seen) -> Iterator[Finding]:
    splits = seen.splits
    told = {name: f" {words} " for name, words in spoken(splits.classes).items()}
    if not told:
        return
    wrong = []
    for index, example in enumerate(splits.examples):
        stem = f" {_words(PurePosixPath(example.key).stem)} "
        own = {splits.classes[label] for label in example.labels}
        others = [name for name, word in told.items() if name not in own and word in stem]
        if others and not any(f" {_words(name)} " in stem for name in own):
            wrong.append(f"{example.key} ({splits.label_name(index)})")
    if wrong:
        what = f"{number(len(wrong), 'file name')} spell another class: {some(wrong)}"
        remedy = "look at them, and move those that lie in the wrong class"
        yield Finding("warning", "labels", what, remedy, "label-in-file-name")


def spoken(classes: Iterable[str]) -> dict[str, str]:
    """Class -> its words, of those that are long enough to mean something in a file name."""
    words = {name: _words(name) for name in classes}
    return {name: text for name, text in words.items() if sum(map(str.isalpha, text)) >= _LEAST_LETTERS}


def _words(text: str) -> str:
    """ "Golden_Retriever-0012" -> "golden retriever": runs of letters, in lower case; words of digits dropped."""
    parts = re.findall(r"[^\W\d_]+|\d+", text.casefold())
    letters = [part for part in parts if not part.isdigit()]
    return " ".join(letters)


RULES = (spelled,)
