"""How verdicts name stages and count tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ftcli.plans.freeze_facts import FreezeFacts, ParameterFacts

_SHOWN = 3


def stages_of(facts: FreezeFacts, found: Iterable[str]) -> str:
    """Stage names in the order of depth: all of them, or the first and the last of many."""
    wanted = set(found)
    names = [stage for stage in facts.stages if stage in wanted]
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{names[0]} ... {names[-1]} ({len(names)} stages)"


def tensors(parameters: Sequence[ParameterFacts]) -> str:
    """ "3 tensors (1,024 values)"."""
    values = sum(p.numel for p in parameters)
    return f"{len(parameters)} {'tensor' if len(parameters) == 1 else 'tensors'} ({values:,} values)"


def some(names: Sequence[str]) -> str:
    """The first names, and that there are more."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
