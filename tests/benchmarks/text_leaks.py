"""How many near copies of texts that were planted does the audit find, and how much that is none does it report?

python -m tests.benchmarks.text_leaks [--documents]

The texts are the docstrings of Python's own packages (`data: {kind: docstrings}`), or the documents its modules, each
file of at least 100 words; half of them in train and half in test. Copies of 100 train texts of each kind are planted
into test.

Docstrings are full of near copies of their own: one for each severity of a log message, one for each kind of module
to load. To report one is no mistake and no merit; it is counted apart. Which these are is decided by a criterion that
shares nothing with the audit (`already_a_copy`): the longest blocks of words that two texts have in common, in their
order, are four fifths of both, or nine tenths of the shorter one, which is no less than half of the longer.
"""

from __future__ import annotations

import argparse
import random
import sysconfig
import time
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from pathlib import Path

from ftcli.components.data.docstrings import Docstrings, open_splits
from ftcli.plans.data_splits import TEST, TRAIN, DataSplits, Example
from ftcli.workflows.audit import audit_splits

PER_KIND = 100
SENTENCES = (
    "See the documentation of the module for more.",
    "This method is part of the public interface.",
    "It was added in an earlier version.",
)
OTHERS = ("value", "object", "always", "another")
Change = Callable[[str, random.Random], str]


def changed(words: list[str], at: int, others: list[str], gone: int = 1) -> str:
    return " ".join([*words[:at], *others, *words[at + gone :]])


def dropped(text: str, rng: random.Random) -> str:
    words = text.split()
    return changed(words, rng.randrange(len(words)), [])


def exchanged(text: str, rng: random.Random) -> str:
    words = text.split()
    return changed(words, rng.randrange(len(words)), [rng.choice(OTHERS)])


def swapped(text: str, rng: random.Random) -> str:
    words = text.split()
    at = rng.randrange(len(words) - 1)
    return changed(words, at, [words[at + 1], words[at]], 2)


KINDS: dict[str, Change] = {
    "the same text": lambda text, rng: text,
    "in capitals": lambda text, rng: text.upper(),
    "other blanks": lambda text, rng: "\n  ".join(text.split(" ")),
    "other punctuation": lambda text, rng: text.replace(".", "!").replace(",", ";"),
    "a word dropped": dropped,
    "a word exchanged": exchanged,
    "two words swapped": swapped,
    "a sentence appended": lambda text, rng: f"{text} {rng.choice(SENTENCES)}",
}


def without_lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    gone = set(rng.sample(range(len(lines)), len(lines) // 20))
    return "".join(line for number, line in enumerate(lines) if number not in gone)


def renamed(text: str, rng: random.Random) -> str:
    """Its commonest name of at least three letters has another name: `self`, more often than not."""
    words = [word for word in text.split() if word.isidentifier() and len(word) > 2]
    return text.replace(max(sorted(set(words)), key=words.count), f"renamed_{rng.randrange(100)}")


OF_DOCUMENTS: dict[str, Change] = {
    "the same text": lambda text, rng: text,
    "other blanks": lambda text, rng: "\n".join(text.split()),
    "a licence before it": lambda text, rng: f"{' '.join(SENTENCES * 10)}\n{text}",
    "its first nine tenths": lambda text, rng: text[: len(text) * 9 // 10],
    "its first half": lambda text, rng: text[: len(text) // 2],
    "a line in 20 dropped": without_lines,
    "a name changed": renamed,
}


def docstrings() -> list[str]:
    whole = open_splits(Docstrings(kind="docstrings"), 0)
    return [whole.load(index) for index in range(len(whole.examples))]


def documents() -> list[str]:
    """Python's own modules, its tests left out: as a user's folder of texts may look."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(
        path for path in root.rglob("*.py") if not {"test", "tests", "site-packages"} & {*path.parts}
    )
    found = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    return [text for text in found if len(text.split()) >= 100]


def planted(
    texts: list[str], kinds: Mapping[str, Change], rng: random.Random
) -> tuple[DataSplits, dict[tuple[int, int], str]]:
    """The splits, and of each planted pair its kind; the copies are put behind `texts`."""
    rng.shuffle(texts)
    half = len(texts) // 2
    streams = {TRAIN: list(range(half)), TEST: list(range(half, len(texts)))}
    pairs = {}
    for kind, change in kinds.items():
        for source in rng.sample(streams[TRAIN], PER_KIND):
            pairs[source, len(texts)] = kind
            streams[TEST].append(len(texts))
            texts.append(change(texts[source], rng))
    examples = tuple(Example(f"{number:05d}", number % 2) for number in range(len(texts)))
    divided = {stream: tuple(indices) for stream, indices in streams.items()}
    splits = DataSplits("planted copies", ("a", "b"), examples, divided, texts.__getitem__, texts=True)
    return splits, pairs


def already_a_copy(one: str, other: str) -> bool:
    first, second = (text.casefold().split() for text in (one, other))
    blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    common, (shorter, longer) = sum(b.size for b in blocks), sorted((len(first), len(second)))
    return 2 * common / (shorter + longer) >= 0.8 or (common >= 0.9 * shorter and shorter >= longer / 2)


def measure(texts: list[str], kinds: Mapping[str, Change]) -> None:
    splits, pairs = planted(texts, kinds, random.Random(0))
    started = time.perf_counter()
    report = audit_splits(splits, workers=1)
    seconds = time.perf_counter() - started
    print(f"{'kind of copy':22} {'planted':>8} {'found':>6} {'recall':>7}")
    for kind in kinds:
        there = [copy for (_, copy), of in pairs.items() if of == kind]
        found = sum(copy in report.leaked for copy in there)
        print(f"{kind:22} {len(there):8} {found:6} {found / len(there):7.1%}")
    copies = {copy for _, copy in pairs}
    reported = [(pair.first, pair.second) for pair in report.pairs if not {pair.first, pair.second} & copies]
    wrong = [pair for pair in reported if not already_a_copy(*(texts[index] for index in pair))]
    total = len(report.pairs)
    print(
        f"\npairs reported: {total:,}; of texts that were there before: {len(reported):,}, of which {len(wrong)} are"
    )
    print(f"no copies by another criterion; precision {1 - len(wrong) / total:.1%} of all, ", end="")
    print(f"{1 - len(wrong) / max(len(reported), 1):.1%} of those that were there before")
    print(f"whole audit of {len(texts):,} texts: {seconds:.1f} s on one core")
    for one, other in wrong:
        print(f"  no copies: {texts[one][:90]!r} | {texts[other][:90]!r}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", action="store_true", help="modules instead of docstrings")
    whole = parser.parse_args().documents
    measure(documents() if whole else docstrings(), OF_DOCUMENTS if whole else KINDS)
