"""Reads the marks that the nodes of scripts/chaos_project leave, one file a process."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.chaos_suite.stories import Mark


class MarkFiles:
    """The folder of the marks; each mark is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, int] = {}

    def new(self) -> list[Mark]:
        """The marks since the last call, in the order of their times. A line cut by a kill is left out."""
        marks = []
        for path in self.folder.glob("*.jsonl"):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                said = file.read()
            whole, newline, _ = said.rpartition(b"\n")
            self._read[path] = self._read.get(path, 0) + len(whole) + len(newline)
            marks += [Mark(*json.loads(line)) for line in whole.splitlines()]
        return sorted(marks, key=lambda mark: mark.time)
