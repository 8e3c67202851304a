"""What the system refuses, at a call of choice among all those by which files are written, renamed and removed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")


@dataclass
class Calls:
    """The names of the calls so far, in order."""

    seen: list[str] = field(default_factory=list)


@contextmanager
def fault_at(number: int | None, fault: Callable[[], object]) -> Iterator[Calls]:
    """`fault` happens instead of call `number` (from 0; None: never). A write has then written half of its bytes."""
    calls, real = Calls(), {name: getattr(os, name) for name in CALLS}

    def intercepted(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls.seen.append(name)
            if len(calls.seen) - 1 == number:
                if name == "write":
                    real["write"](arguments[0], arguments[1][: len(arguments[1]) // 2])
                fault()
            return real[name](*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, intercepted(name))
    try:
        yield calls
    finally:
        for name, function in real.items():
            setattr(os, name, function)
