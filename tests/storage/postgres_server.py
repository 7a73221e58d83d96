"""The Postgres of the storage tests.

One server for each process that runs tests, started by the first test that needs it. Processes that the tests start
find it by the environment.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from tests.private_postgres import PrivatePostgres

ADDRESS = "RUNYARD_TEST_POSTGRES"
"""The variable that holds the connection string; who sets it before the tests lends them a server."""


def address() -> str:
    """The connection string of a server that runs, which is started if need be."""
    if ADDRESS not in os.environ:
        os.environ[ADDRESS] = _start()
    return os.environ[ADDRESS]


def schema_of(directory: Path) -> str:
    """The schema that belongs to a directory: to whoever uses that."""
    return f"t{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:24]}"


def await_disconnected(name: str) -> None:
    """Returns when nothing is connected by that `application_name`: until a server has seen to the end of a process
    that was killed, it executes what that had sent."""
    with psycopg.connect(address(), autocommit=True) as connection:
        while connection.execute("select 1 from pg_stat_activity where application_name = %s", (name,)).fetchone():
            time.sleep(0.005)


def set_clock(monkeypatch: pytest.MonkeyPatch, directory: Path, seconds: float) -> None:
    """Sets the clock of what belongs to a directory by so many seconds from what it is; this process goes by it, too,
    until that is undone."""
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.connection.CLOCK", "select clock_micros()")
    function = f"{schema_of(directory)}.clock_micros()"
    with psycopg.connect(address()) as connection:
        row = connection.execute("select prosrc from pg_proc where oid = %s::regprocedure", (function,)).fetchone()
        assert row is not None
        connection.execute(
            f"create or replace function {function} returns bigint language sql volatile "
            f"as $${row[0]} + {int(seconds * 1e6)}$$"
        )


def _start() -> str:
    folder = Path(tempfile.mkdtemp(prefix="runyard-pg-"))
    # What is lost of these settings only a crash of the server would show.
    server = PrivatePostgres(folder, {"full_page_writes": "off", "synchronous_commit": "off", "max_connections": "200"})
    atexit.register(_stop, server, os.getpid())
    server.start()
    return server.address


def _stop(server: PrivatePostgres, started_by: int) -> None:
    """At once: nothing of it is needed any more."""
    if os.getpid() == started_by:
        server.stop_at_once()
        shutil.rmtree(server.folder, ignore_errors=True)
