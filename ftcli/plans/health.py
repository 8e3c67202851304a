"""What `ftcli doctor` found out about a machine, check by check."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Check:
    """`found` is what is there, `remedy` what to do where that is not as it should be.

    A note can be lived with; with a problem some command does not work. `facts` are for programs: numbers, versions.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""
    facts: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Health:
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.status == "problem")

    def to_dict(self) -> dict[str, Any]:
        checks = [{**asdict(check), "facts": dict(check.facts)} for check in self.checks]
        return {"ok": not self.problems, "checks": checks}
