"""What the frozen part of a network makes of examples, computed once and kept: from then on only the rest runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import torch
from torch import Tensor

from ftcli.engine.asked import Asked, Below, Key, Pass, Source
from ftcli.engine.cache.features import FeatureShelf
from ftcli.engine.compiled import NotCompiled, Programs
from ftcli.engine.crossing import by_token
from ftcli.engine.cut import Cut, highest_cut
from ftcli.engine.folded import UNFOLDED, Fold, fold_below, name_of
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.kept import Kept, Ledger
from ftcli.engine.micro_batch import MicroBatch
from ftcli.engine.network import Network
from ftcli.engine.onward import goes_on
from ftcli.engine.precision import autocast
from ftcli.engine.prefix_digest import prefix_digest
from ftcli.engine.stopwatch import span
from ftcli.events import Noticed
from ftcli.plans.training_plan import Precision
from ftcli.stopping import safe_point

Forward = Callable[[Tensor], Tensor]
Progress = Callable[[int, int], None]


@dataclass
class PrefixCache:
    """Activations by pass, by boundary and by the bits of what lies below: a part that has moved has another key.

    On disk where there is a `shelf` with room, for the next run too; else in memory, up to `memory_bytes`.
    """

    device: str
    precision: Precision
    forward: Forward
    """uint8 images (B, 3, S, S), or tokens (B, L) -> logits (B, C), through the whole network."""
    memory_bytes: int
    shelf: FeatureShelf | None = None
    micro: MicroBatch = field(default_factory=MicroBatch)
    ledger: Ledger = field(default_factory=Ledger)
    programs: Programs | None = None
    """Where what goes through the frozen part goes through it compiled."""
    _kept: dict[Key, Kept] = field(default_factory=dict)
    _cost: dict[Key, float] = field(default_factory=dict)
    """Seconds for each example of what this run has computed, whether it is still mapped or not."""
    _cuts: dict[int, tuple[Fold, Cut | None]] = field(default_factory=dict)
    _folds: dict[int, Fold] = field(default_factory=dict)

    def fold(self, network: Network, boundary: int, images: Callable[[], Tensor]) -> Fold:
        """The batch norms below `boundary`, proved on `images`; made anew where what lies below has changed."""
        below = prefix_digest(network, boundary)
        if boundary not in self._folds or self._folds[boundary].below != below:
            with span("prefix"):
                self._folds[boundary] = fold_below(network, self.forward, boundary, images(), below)
        return self._folds[boundary]

    def cut(
        self, network: Network, boundary: int, images: Callable[[], Tensor], fold: Fold = UNFOLDED
    ) -> Cut | None:
        """The network in two parts at `boundary` or below; None where none is proved equal to the whole on `images`."""
        if boundary not in self._cuts or self._cuts[boundary][0] is not fold:
            enter_eval_mode(network)
            with span("prefix"), autocast(self.precision, self.device):
                self._cuts[boundary] = fold, highest_cut(network, self.forward, boundary, images(), fold)
        return self._cuts[boundary][1]

    def find_folded(self, network: Network, boundary: int, passes: Sequence[Pass]) -> str:
        """The rounding of the passes where all are kept as a fold would make them that this run has not made.

        By an earlier run, on the disk. Empty where they are not; nothing is computed.
        """
        digest = prefix_digest(network, boundary)
        if boundary in self._folds and self._folds[boundary].below == digest:
            return ""
        rounding = name_of(digest)
        below = self._name(digest, rounding)
        return rounding if all(self._there(below, boundary, each) for each in passes) else ""

    def get(
        self,
        network: Network,
        cut: Cut,
        passes: Sequence[Pass],
        progress: Progress = lambda done, total: None,
        below: Below | None = None,
        *,
        ahead: bool = False,
    ) -> tuple[Kept, ...] | None:
        """What is kept of each pass, computed where it is not there yet: from images, or from what is kept `below`.

        None where it is too much to keep. `ahead`, for a coming phase, it is kept on the disk or not at all, and stays
        mapped for what is made of it next.
        """
        try:
            return self._get(network, cut, passes, progress, below, ahead=ahead)
        except NotCompiled as failed:
            if ahead or self.programs is None:
                raise  # what this is made for has another name then
            self.programs.tell(Noticed(failed.finding))
            self.programs = None
            return self._get(network, cut, passes, progress, below, ahead=ahead)

    def _get(
        self,
        network: Network,
        cut: Cut,
        passes: Sequence[Pass],
        progress: Progress,
        below: Below | None,
        *,
        ahead: bool,
    ) -> tuple[Kept, ...] | None:
        """Raises NotCompiled, with nothing kept under a name that says otherwise."""
        digest = self._below(network, cut)
        keys = [(digest, cut.boundary, each.name) for each in passes]
        if not ahead:
            self._let_go(keys)
        source = self._source(network, cut, self._missing(digest, cut, passes), below)
        if self.programs is not None and not cut.by_token:
            cut = replace(cut, prefix=self.programs.way(digest, cut.prefix))
        total, found = sum(each.count for each in passes), list[Kept]()
        for number, each in enumerate(passes):
            done = sum(before.count for before in passes[:number])
            told = _from(done, total, progress)
            asked = Asked(network, cut, digest, each, keys, told, source, ahead)
            kept = self._there(digest, cut.boundary, each) or self._made(asked)
            if kept is None:
                return None
            asked.progress(each.count)
            found.append(kept)
        if not ahead:
            self._let_go(keys)
        return tuple(found)

    def _missing(self, digest: str, cut: Cut, passes: Sequence[Pass]) -> list[Pass]:
        return [each for each in passes if not self._there(digest, cut.boundary, each)]

    def _source(
        self, network: Network, cut: Cut, missing: Sequence[Pass], below: Below | None
    ) -> Source | None:
        """Where passes that are missing can be gone on from; None where the way from there is not proved."""
        if below is None or not missing:
            return None
        below.keep(missing)
        source = self._highest(network, cut, missing)
        if source is None:
            return None
        enter_eval_mode(network)
        with span("prefix"), autocast(self.precision, self.device):
            return source if goes_on(cut, source.cut, below.examples()) else None

    def _highest(self, network: Network, cut: Cut, missing: Sequence[Pass]) -> Source | None:
        """The highest cut below, folded or not as this one is, at which one of the passes is kept on the disk: what
        memory holds might have to make room for what is made of it.
        """
        found = [lower for _, lower in self._cuts.values() if lower and lower.boundary < cut.boundary]
        alike = [lower for lower in found if bool(lower.rounding) == bool(cut.rounding)]
        for lower in sorted(alike, key=lambda lower: lower.boundary, reverse=True):
            digest = self._below(network, lower)
            there = (self._there(digest, lower.boundary, each) for each in missing)
            if any(kept is not None and kept.on_disk for kept in there):
                return Source(lower, digest)
        return None

    def _below(self, network: Network, cut: Cut) -> str:
        return self._name(prefix_digest(network, cut.boundary), cut.rounding)

    def _name(self, digest: str, rounding: str) -> str:
        """By what lies below a cut, and how it rounds."""
        compiled = self.programs.name if self.programs else ""
        return " ".join(part for part in (digest, rounding, compiled) if part)

    def _let_go(self, needed: Sequence[Key]) -> None:
        """What is mapped from the disk and not needed now: while it is in use, the disk cannot make room for others."""
        for key in [key for key, kept in self._kept.items() if kept.on_disk and key not in needed]:
            del self._kept[key]

    def _there(self, below: str, boundary: int, each: Pass) -> Kept | None:
        """What was made in parts as large as they would be now, in memory or on the shelf."""
        key, at_once = (below, boundary, each.name), self.micro.size
        kept = self._kept.get(key)
        if kept is not None and kept.at_once == at_once:
            return kept
        if self.shelf is None:
            return None
        activations = self.shelf.open(self.shelf.key(below, boundary, each.stream, each.view, at_once))
        if activations is None:
            return None
        self._kept[key] = Kept(activations, self._cost.get(key, 0.0), on_disk=True, at_once=at_once)
        return self._kept[key]

    def _made(self, asked: Asked) -> Kept | None:
        """Computed for the shelf; in memory where that has no room. Begun anew where memory takes less at once:

        another run might have the memory for whole batches, and must not be given what was made in parts.
        """
        key = asked.below, asked.cut.boundary, asked.each.name
        self._kept.pop(key, None)
        while True:
            try:
                shortest = self._from_lower(asked) or asked
                kept = self._onto_shelf(self.shelf, shortest) if self.shelf else None
                if kept is None and asked.ahead:
                    return None
                if kept is None and shortest is not asked:  # what it goes on from is in use, and takes room
                    asked = replace(asked, source=None)
                    self._let_go(asked.together)
                    continue
                kept = kept or self._in_memory(asked)
            except _SmallerParts:
                found = self._there(asked.below, asked.cut.boundary, asked.each)
                if found is not None:
                    return found
                continue
            if kept is not None:
                self._kept[key], self._cost[key] = kept, kept.seconds_each
            return kept

    def _from_lower(self, asked: Asked) -> Asked | None:
        """The same, computed from what is kept of the pass at a lower cut; None where nothing is."""
        source = asked.source
        if source is None or asked.each.from_kept is None:
            return None
        kept = self._there(source.digest, source.cut.boundary, asked.each)
        return asked.gone_on_with(source.cut, kept) if kept is not None and kept.on_disk else None

    def _onto_shelf(self, shelf: FeatureShelf, asked: Asked) -> Kept | None:
        """None where it found no room, which the store has told."""
        each, at_once = asked.each, self.micro.size
        key = shelf.key(asked.below, asked.cut.boundary, each.stream, each.view, at_once)
        stop = self.ledger.watch(self._compiling)
        parts = self._computed(asked)
        first = next(parts)
        with shelf.create(key, each.name, (asked.rows, *first.shape[1:]), first.dtype) as writer:
            for part in chain([first], parts):
                if not writer.ok:
                    return None
                writer.append(part.cpu())
            whole = writer.ok
        seconds = stop(each.count) if whole else 0.0
        there = shelf.open(key) if whole else None
        if there is None:
            return None
        return Kept(there, seconds + asked.seconds_before, on_disk=True, at_once=at_once)

    def _in_memory(self, asked: Asked) -> Kept | None:
        """None where it has no room beside those that it is needed with."""
        stop = self.ledger.watch(self._compiling)
        kept, done = None, 0
        for part in self._computed(asked):
            if kept is None:
                if not self._has_room(part, asked.rows, asked.together):
                    return None
                # Once: parts and their sum would be twice as much.
                kept = part.new_empty((asked.rows, *part.shape[1:]))
            kept[done : done + len(part)] = part
            done += len(part)
        assert kept is not None, "a stream has examples"
        seconds = stop(asked.each.count) + asked.seconds_before
        return Kept(kept, seconds, at_once=self.micro.size)

    def _computed(self, asked: Asked) -> Iterator[Tensor]:
        """What crosses the cut, a batch at a time: rows of examples, or of their tokens. Raises _SmallerParts."""
        enter_eval_mode(asked.network)
        count, at_once = 0, self.micro.size
        for batch in asked.each.batches():
            safe_point()
            with span("prefix", len(batch.inputs)), torch.no_grad(), autocast(self.precision, self.device):
                part = self.micro.through(asked.cut.prefix, batch.inputs)
            if self.micro.size != at_once:
                raise _SmallerParts
            count += len(batch.inputs)
            asked.progress(count)
            yield by_token(part) if asked.cut.by_token else part

    def _compiling(self) -> float:
        """The seconds that it has taken so far."""
        return self.programs.seconds if self.programs else 0.0

    def _has_room(self, first: Tensor, count: int, together: Sequence[Key]) -> bool:
        """Whether a pass fits beside those it is needed with; of the others what was kept first makes room then."""
        needed = first[0].nbytes * count
        others = [key for key, kept in self._kept.items() if key not in together and not kept.on_disk]
        spared = sum(self._kept[key].activations.nbytes for key in others)
        if needed + self._held() - spared > self.memory_bytes:
            return False
        while needed + self._held() > self.memory_bytes:
            self._kept.pop(others.pop(0))
        return True

    def _held(self) -> int:
        return sum(kept.activations.nbytes for kept in self._kept.values() if not kept.on_disk)


class _SmallerParts(Exception):
    """Memory took less at once than before: what was made so far was made in larger parts."""


def _from(done: int, total: int, progress: Progress) -> Callable[[int], None]:
    return lambda count: progress(done + count, total)
