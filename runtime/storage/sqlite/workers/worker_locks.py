"""Whether workers live, by locks on files beside the database: they are processes of one machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from runyard.runtime.background.process_identity import ProcessIdentity
from runyard.runtime.background.process_lock import ProcessLock, is_free, owner_of
from runyard.runtime.storage.port.workers import WorkerState


class WorkerLocks:
    """A file for each worker in `folder`, which its process holds locked until it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, ProcessLock] = {}

    def take(self, worker: str) -> None:
        """Shows that the worker lives, in this process."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held[worker] = ProcessLock(self._folder / worker)

    def give_up(self, worker: str) -> None:
        """Shows that it has ended, though this process goes on."""
        self._held.pop(worker).close()
        self.forget(worker)

    def states(self) -> dict[str, WorkerState]:
        """The workers whose processes have not surely ended."""
        found: dict[str, WorkerState] = {}
        for worker, owner in self._owners():
            if not is_free(self._folder / worker):
                found[worker] = "stopped" if owner is not None and owner.state() == "stopped" else "running"
        return found

    def kill(self, worker: str) -> bool:
        """Ends the worker's process; False when nothing says which that is."""
        owner = owner_of(self._folder / worker)
        if owner is None or owner.state() == "unknown":
            return False
        owner.kill()
        return True

    def forget(self, worker: str) -> None:
        """Removes the file of a worker that has ended."""
        if is_free(self._folder / worker):
            (self._folder / worker).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Removes the files of workers that have ended, and ends those that are stopped: they would hold what they
        hold until somebody continues them. For a server that has just taken the database for itself."""
        for worker, owner in self._owners():
            if owner is not None and owner.state() == "stopped":
                owner.kill()
            self.forget(worker)

    def _owners(self) -> Iterator[tuple[str, ProcessIdentity | None]]:
        with contextlib.suppress(FileNotFoundError):
            for worker in os.listdir(self._folder):
                if not worker.endswith(".lock"):
                    yield worker, owner_of(self._folder / worker)
