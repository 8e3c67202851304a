"""What the rules look at, and how they name examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ftcli.plans.audit import ImageFacts, Pair
from ftcli.plans.data_splits import DataSplits

SHOWN = 3


@dataclass(frozen=True)
class Seen:
    """The data, the facts of each example (in the examples' order) and the pairs, worst first."""

    splits: DataSplits
    facts: Sequence[ImageFacts]
    pairs: Sequence[Pair]
    command: str | None = None
    """What audits these data again, `ftcli audit photos`; None where no file is known that names them."""

    @property
    def noun(self) -> str:
        return self.splits.noun

    def stream_of(self) -> dict[int, str]:
        return {index: stream for stream, indices in self.splits.streams.items() for index in indices}


def fix_split(seen: Seen, changes: str = "") -> str:
    """The command that writes a split which is mended; `changes` are further options."""
    options = f"{changes} --fix-split split.json".strip()
    return f"{seen.command} {options}" if seen.command else f"ftcli audit, of this recipe, with {options}"


def some_pairs(pairs: Sequence[Pair]) -> str:
    """The first few, by name."""
    return _some([f"{pair.first_key} = {pair.second_key}" for pair in pairs[:SHOWN]], len(pairs))


def some(names: Iterable[str]) -> str:
    listed = list(names)
    return _some(listed[:SHOWN], len(listed))


def number(count: int, noun: str) -> str:
    """ "1 image", "2,000 images"."""
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def _some(shown: list[str], total: int) -> str:
    more = f" and {total - len(shown):,} more" if total > len(shown) else ""
    return ", ".join(shown) + more
