"""What is asked of the frozen part: a stream once through it, from its images or from a lower cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from ftcli.engine.batches import Batch
from ftcli.engine.cut import Cut
from ftcli.engine.kept import Kept
from ftcli.engine.network import Network
from ftcli.plans.phase import Phase

Key = tuple[str, int, str]
"""A digest of what lies below and how it rounds, the boundary, and the name of the pass."""


@dataclass(frozen=True)
class Pass:
    """A stream once through, as evaluation sees it or augmented as a view. `batches` gives its examples."""

    stream: str
    view: int | None
    count: int
    batches: Callable[[], Iterable[Batch]]
    tokens: int = 0
    """Of all its texts."""
    from_kept: Callable[[Kept, bool], Iterable[Batch]] | None = None
    """The same batches from what was kept of it at a cut; whether that is by token is said beside it."""

    @property
    def name(self) -> str:
        return self.stream if self.view is None else f"{self.stream} view {self.view}"


@dataclass(frozen=True)
class Coming:
    """A phase that will keep the passes of these names."""

    phase: Phase
    names: frozenset[str]

    @property
    def boundary(self) -> int:
        return self.phase.prefix.boundary


@dataclass(frozen=True)
class Below:
    """How passes that are missing are made of what is kept of them at lower cuts."""

    examples: Callable[[], Tensor]
    """A few, on which the way from there is proved."""
    keep: Callable[[Sequence[Pass]], None]
    """Told which are missing, before they are made: what shall be kept of them below is kept now."""


@dataclass(frozen=True)
class Source:
    """A lower cut, and the digest of what lies below that."""

    cut: Cut
    digest: str


@dataclass(frozen=True)
class Asked:
    """A pass that is to be computed, and those that it is needed `together` with."""

    network: Network
    cut: Cut
    below: str
    each: Pass
    together: Sequence[Key]
    progress: Callable[[int], None]
    source: Source | None
    ahead: bool
    """For a coming phase: kept on the disk or not at all."""
    seconds_before: float = 0.0
    """That each example has cost already."""

    def gone_on_with(self, lower: Cut, kept: Kept) -> Asked:
        """From what was kept of the pass at a lower cut."""
        assert self.cut.onward is not None
        assert self.each.from_kept is not None
        cut = replace(self.cut, prefix=partial(self.cut.onward, lower))
        each = replace(self.each, batches=partial(self.each.from_kept, kept, lower.by_token))
        return replace(self, cut=cut, each=each, seconds_before=kept.seconds_each)

    @property
    def rows(self) -> int:
        return self.each.tokens if self.cut.by_token else self.each.count
