"""Assistants as they were read a moment ago. Who makes a run of one need not read it again: what the run is written
with is compared then."""

from __future__ import annotations

import time
from typing import Any

LONGEST = 10.0
"""Seconds for which one is kept."""
MOST = 1_000


class SeenAssistants:
    """Rows by the id of the assistant; safe to use from several threads."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[float, dict[str, Any]]] = {}

    def get(self, assistant_id: str) -> dict[str, Any] | None:
        """None when it has to be read."""
        until, row = self._rows.get(assistant_id, (0.0, None))
        return row if time.monotonic() < until else None

    def keep(self, row: dict[str, Any]) -> None:
        """What was read."""
        if len(self._rows) >= MOST:
            self._rows.clear()
        self._rows[row["assistant_id"]] = (time.monotonic() + LONGEST, row)

    def forget(self, assistant_id: str) -> None:
        """It has changed."""
        self._rows.pop(assistant_id, None)
