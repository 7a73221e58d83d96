"""A gate that holds the runs of some graphs, so that a test says when they go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNHELD = {"gate": "/"}
"""The input of a run of the graph `gated` that nothing holds."""


@dataclass(frozen=True)
class Gate:
    """Holds the runs of the graphs `gated` and `stuck` until it is opened."""

    path: Path

    def input(self, label: str = "x") -> dict[str, Any]:
        """The input of a run that stops at this gate."""
        return {"gate": str(self.path), "label": label}

    def open(self) -> None:
        """Lets all of them go on."""
        self.path.touch()
