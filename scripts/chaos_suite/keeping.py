"""What a session leaves for whoever looks for the cause of a finding."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

from scripts.chaos_suite.target import Target


def keep(target: Target, folder: Path) -> None:
    """The server's log, the marks, and a copy of the database, in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(target.server.log, folder / "server.log")
    shutil.copytree(target.marks, folder / "marks", dirs_exist_ok=True)
    with contextlib.suppress(sqlite3.Error):
        source = contextlib.closing(sqlite3.connect(target.data / "runyard.db", timeout=20))
        copy = contextlib.closing(sqlite3.connect(folder / "runyard.db"))
        with source as live, copy as kept:
            live.backup(kept)
