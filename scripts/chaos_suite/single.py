"""One server on SQLite."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from pathlib import Path

import httpx

from scripts.chaos_suite.clock import Clock
from scripts.chaos_suite.databases import SqliteDatabase
from scripts.chaos_suite.target import Member, Target

WORKERS = 2


class Disk:
    """Where the data lies: a small file system of its own where mounting is permitted, else a folder."""

    def __init__(self, folder: Path, *, megabytes: int = 256) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "runyard-chaos", str(folder)]
        self.own = False
        with contextlib.suppress(OSError):
            self.own = subprocess.run(command, capture_output=True, timeout=10).returncode == 0
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leaves no byte free. Only for a file system of its own."""
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            for size in (2**20, 4096):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        if self.own:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, timeout=10)


class SingleServer(Target):
    """`runyard serve` with its workers, and its file on a disk that can be full."""

    def __init__(self, folder: Path, *, clocks: bool) -> None:
        """`clocks`: whether its clock is to jump."""
        super().__init__(folder)
        self.disk = Disk(folder / "disk")
        data = self.disk.folder / "data"
        self.file = data / "runyard.db"
        self.database = SqliteDatabase(self.file)
        member = Member(
            "server",
            data,
            Clock(folder / "clock", wanted=clocks),
            args=("--workers", str(WORKERS)),
            env={"CHAOS_MARKS": str(self.marks)},
            workers=WORKERS,
        )
        member.server.log = folder / "server.log"
        self.members = [member]

    @property
    def api(self) -> list[Member]:
        return self.members

    def connected(self) -> int:
        try:
            return len(self.members[0].server.workers())
        except httpx.HTTPError:
            return 0

    def close(self) -> None:
        super().close()
        self.disk.close()

    def keep(self, folder: Path) -> None:
        super().keep(folder)
        with contextlib.suppress(sqlite3.Error):
            source = contextlib.closing(sqlite3.connect(self.file, timeout=20))
            copy = contextlib.closing(sqlite3.connect(folder / "runyard.db"))
            with source as live, copy as kept:
                live.backup(kept)
