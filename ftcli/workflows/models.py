"""The backbones that there are. The libraries are asked once, for that imports all of them; then a list is kept."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ftcli.engine.cache.listing import Listing, kept_listing
from ftcli.errors import UsageError


@dataclass(frozen=True)
class ListedBackbone:
    """`weights` is the tag of the default ones, None where there are none."""

    name: str
    weights: str | None


def list_backbones(pattern: str | None = None, only: str | None = None) -> tuple[ListedBackbone, ...]:
    """The names that contain `pattern`, or match it where it has wildcards; of one source, or of all.

    Raises UsageError for a source that is not one and a pattern that finds nothing, ModelError for a source
    whose library is not installed; of all sources such a one is left out.
    """
    listing = kept_listing(only, lambda: _asked(only))
    wanted = listing if only is None else [only]
    listed = [ListedBackbone(f"{known}/{name}", tag) for known in wanted for name, tag in listing[known]]
    found = [backbone for backbone in listed if pattern is None or _matches(backbone.name, pattern)]
    if not found:
        names = [backbone.name.partition("/")[2] for backbone in listed]
        near = get_close_matches(pattern or "", names, cutoff=0.5)
        raise UsageError(f"no backbone matches {pattern!r}", remedy=f"nearest: {', '.join(near) or 'none'}")
    return tuple(found)


def _asked(only: str | None) -> Listing:
    """By the libraries themselves, of one source or of those that are installed."""
    from ftcli.components.backbone import SOURCES, is_installed, source

    if only is not None and only not in SOURCES:
        raise UsageError(f"there is no source {only!r}", remedy=f"sources: {', '.join(SOURCES)}")
    known = [each for each in SOURCES if is_installed(each)] if only is None else [only]
    libraries = {each: source(f"{each}/")[0] for each in known}
    return {each: [(n, lib.default_tag(n)) for n in lib.names()] for each, lib in libraries.items()}


def _matches(name: str, pattern: str) -> bool:
    if any(wildcard in pattern for wildcard in "*?["):
        return fnmatchcase(name, pattern) or fnmatchcase(name.partition("/")[2], pattern)
    return pattern in name
