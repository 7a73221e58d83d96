"""Which process each worker is, noted in its server's folder. Where leases say who lives, a server that finds the
folder of one that was killed learns so at once which of its workers have ended, and ends those that are stopped."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from runyard.runtime.background.process_identity import ProcessIdentity
from runyard.runtime.background.process_lock import owner_of

LONGEST_END = 2.0
"""Seconds in which a process that was killed has ended."""
LOOK = 0.01


def note_worker(folder: Path, name: str) -> None:
    """Notes that this process is that worker."""
    identity = ProcessIdentity.of(os.getpid())
    if identity is not None:
        with contextlib.suppress(OSError):  # a full disk: its lease says as much, later
            _notes(folder).mkdir(exist_ok=True, mode=0o700)
            (_notes(folder) / name).write_text(identity.dump())


def forget_worker(folder: Path, name: str) -> None:
    """For a worker that has ended."""
    (_notes(folder) / name).unlink(missing_ok=True)


def end_left(folder: Path) -> set[str]:
    """Of workers whose server has ended, the names of those that surely have as well: what is stopped is killed. One
    that runs is left to its end, which is near, and one on another machine to its lease."""
    return {note.name for note in _notes(folder).glob("*") if _has_ended(note)}


def _has_ended(note: Path) -> bool:
    process = owner_of(note)
    if process is None:
        return False
    if process.state() == "stopped":
        process.kill()
        end = time.monotonic() + LONGEST_END
        while process.state() != "ended" and time.monotonic() < end:
            time.sleep(LOOK)
    return process.state() == "ended"


def _notes(folder: Path) -> Path:
    return folder / "workers"
