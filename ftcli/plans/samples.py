"""What a language model makes of a prompt, before it was trained and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Sample:
    """`before` and `after` go on where `prompt` ends."""

    prompt: str
    before: str | None = None
    """None where the run was taken up again without its record."""
    after: str | None = None
    """None until the run is complete."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Sample:
        return cls(str(values["prompt"]), values.get("before"), values.get("after"))
