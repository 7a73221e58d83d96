"""What was found out about a start that is not made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from runyard.runtime.config.settings import Settings

Level = Literal["ok", "note", "problem", "unusable"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    level: a note is ignored or missing, and the start goes on; a problem keeps something from working; unusable: there
    is nothing to start.
    """

    check: str
    level: Level
    message: str
    remedy: str | None = None


@dataclass(slots=True)
class Diagnosis:
    """All findings, in the order of the checks. settings: None when the configuration is unusable."""

    findings: list[Finding] = field(default_factory=list)
    settings: Settings | None = None

    @property
    def worst(self) -> Level:
        """The worst level of all findings."""
        levels: tuple[Level, ...] = ("unusable", "problem", "note")
        return next((level for level in levels if any(finding.level == level for finding in self.findings)), "ok")

    def add(self, check: str, level: Level, message: str, remedy: str | None = None) -> None:
        """One more finding."""
        self.findings.append(Finding(check, level, message, remedy))
