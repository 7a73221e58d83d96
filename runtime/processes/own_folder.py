"""Where a server keeps the sockets and the temporary files of its processes."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Container
from pathlib import Path

from runyard.runtime.background.process_lock import ProcessLock, alone, is_free
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.processes.noted_workers import end_left, note_worker
from runyard.runtime.processes.temporaries import remove_temporaries, sweep_temporaries

SERVERS = "servers"
_LOCK = "server.lock"


class OwnFolder:
    """The data directory, whose only server this is; or a folder in it, where servers may share it since they share a
    database elsewhere. `take` first, `leave` last."""

    def __init__(self, settings: Settings) -> None:
        self._shared: Path | None = None
        self._lock: ProcessLock | None = None
        self.ended: set[str] = set()
        """Workers of servers before this one in the directory that have surely ended, whatever their leases say."""
        self.path = settings.data_dir.resolve()
        if settings.database is not None:
            self._shared = self.path / SERVERS
            self.path = self._shared / uuid.uuid4().hex[:8]

    def take(self, alive: Container[str]) -> None:
        """Makes it, and removes what servers have left that ended without a word, but for what belongs to workers that
        are still alive. Raises ConfigError where it cannot be made."""
        if self._shared is None:
            sweep_temporaries(self.path, alive)
            return
        try:
            self._shared.mkdir(parents=True, exist_ok=True, mode=0o700)
            with alone(self._shared / "taking.lock"):
                for left in self._shared.glob(f"*/{_LOCK}"):
                    if is_free(left):
                        self.ended |= _remove(left.parent, alive)
                self.path.mkdir(mode=0o700)
                self._lock = ProcessLock(self.path / _LOCK)
        except OSError as error:
            raise ConfigError(
                f"{self._shared}: cannot be used for sockets and temporary files ({error.strerror or error});"
                " choose another data directory with --data or RUNYARD_DATA_DIR"
            ) from None

    def note_worker(self, name: str) -> None:
        """This process is that worker, too."""
        if self._shared is not None:
            note_worker(self.path, name)

    def leave(self) -> None:
        """Removes what is the server's own in it. For one whose processes have ended."""
        remove_temporaries(self.path, "server")
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock.close()


def _remove(folder: Path, alive: Container[str]) -> set[str]:
    ended = end_left(folder)
    for name in ended:
        remove_temporaries(folder, name)
    sweep_temporaries(folder, alive)
    if not any((folder / "tmp").glob("*")):
        shutil.rmtree(folder, ignore_errors=True)
    return ended
