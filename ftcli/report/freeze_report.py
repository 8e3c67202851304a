"""The inspector's report: facts and findings that print themselves, become plain data, and can be asserted."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from io import BytesIO, TextIOWrapper
from shutil import get_terminal_size
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from ftcli.findings import Finding, Severity
from ftcli.plans.freeze_facts import FreezeFacts
from ftcli.report.console import show
from ftcli.report.findings import findings_view
from ftcli.report.freeze_json import phases_json
from ftcli.report.freeze_views import phases_view
from ftcli.report.safe_text import plain
from ftcli.report.style import QUIET, STRONG

_GRAVITY: dict[Severity, int] = {"info": 0, "warning": 1, "error": 2}
_LEAST_WIDTH = 80


@dataclass(frozen=True)
class FreezeReport:
    """What `ftcli.inspect_freeze` returns. `print(report)` shows it; so does rich."""

    model: str
    phases: tuple[FreezeFacts, ...]
    """One for a living model ("now"), one for each phase of a plan."""
    findings: tuple[Finding, ...]

    def assert_clean(self, *, severity: Severity = "warning", ignore: Iterable[str] = ()) -> None:
        """Raise AssertionError that lists every finding of that severity or a graver one.

        `ignore` holds the rules (`finding.rule`) that are meant to be as they are.
        """
        ignored = set(ignore)
        found = [
            finding
            for finding in self.findings
            if _GRAVITY[finding.severity] >= _GRAVITY[severity] and finding.rule not in ignored
        ]
        if found:
            told = "\n".join(f"  {f.severity} [{f.rule}] {f.where}: {f.message}; {f.remedy}" for f in found)
            raise AssertionError(f"{self.model}: {len(found)} finding{'s' if len(found) > 1 else ''}\n{told}")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the same as `ftcli inspect-freeze --json` gives of a model file."""
        return {
            "model": self.model,
            "parameters": self.phases[0].numel(),
            "phases": phases_json(self.phases),
            "findings": [asdict(finding) for finding in self.findings],
        }

    def __rich__(self) -> RenderableType:
        found = findings_view(self.findings) if self.findings else Text("\nno findings", style=QUIET)
        return Group(plain(self.model, STRONG), Text(""), phases_view(self.phases), found)

    def __str__(self) -> str:
        """The page without colours, in characters that stdout has: at least 80 columns, or the terminal's."""
        raw = BytesIO()
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        stream = TextIOWrapper(
            raw, encoding=encoding, errors="backslashreplace", newline="\n", write_through=True
        )
        width = max(_LEAST_WIDTH, get_terminal_size((_LEAST_WIDTH, 24)).columns)
        show(Console(file=stream, force_terminal=False, width=width, highlight=False, markup=False), self)
        return raw.getvalue().decode(encoding).rstrip("\n")

    def __repr__(self) -> str:
        """Short: the facts are thousands of values."""
        phases, findings = (
            f"{number} {noun}{'' if number == 1 else 's'}"
            for number, noun in ((len(self.phases), "phase"), (len(self.findings), "finding"))
        )
        return f"<FreezeReport of {self.model}: {phases}, {findings}; print it to see it>"
