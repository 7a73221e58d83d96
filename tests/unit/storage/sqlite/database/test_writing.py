"""Who else uses the database does not keep the server from writing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.sqlite.database import log_keeper, readers, writer
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.database.file_lock import FileLock
from runyard.runtime.storage.sqlite.database.log_keeper import LogKeeper


class Measured:
    """Notes what the database says of its writes."""

    def __init__(self) -> None:
        self.held: list[float] = []
        self.sizes: list[int] = []

    def locked(self, waited: float, held: float) -> None:
        assert waited >= 0
        self.held.append(held)

    def log_size(self, size: int) -> None:
        self.sizes.append(size)


@pytest.fixture
def measured() -> Measured:
    return Measured()


@pytest.fixture
def database(tmp_path: Path, measured: Measured) -> Iterator[Database]:
    database = Database(tmp_path / "runyard.db", meter=measured)
    database.open()
    yield database
    database.close()


@pytest.fixture
def outsider(database: Database) -> Iterator[Connection]:
    """Another program that uses the file, and knows nothing of the lock beside it."""
    connection = sqlite3.connect(database.path, isolation_level=None, timeout=0, factory=Connection)
    yield connection
    connection.close()


def fill(connection: Connection) -> None:
    connection.execute(
        "insert into thread_events (thread_id, seq, first, run_id, data) "
        "values (hex(randomblob(16)), 1, 1, 'run', zeroblob(100000))"
    )


def log_size(database: Database) -> int:
    return os.path.getsize(f"{database.path}-wal")


def keeper(database: Database, measured: Measured) -> tuple[LogKeeper, Connection, FileLock]:
    lock = FileLock(database.path.with_name("runyard.db.lock"))
    lock.open()
    return LogKeeper(database._connect, lock, measured, Loops(), path=database.path), database._connect(), lock


async def test_a_reader_of_an_old_state_is_not_waited_for(
    database: Database, outsider: Connection, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_keeper, "LONG_LOG", 10)
    monkeypatch.setattr(log_keeper, "CHECKPOINT_EVERY", 0.0)
    log, connection, lock = keeper(database, measured)
    outsider.execute("begin")
    outsider.execute("select count(*) from runs").fetchone()
    for _ in range(3):
        await database.write(fill)
        log.shorten(connection)
    size = log_size(database)
    assert measured.sizes[-1] > 3 * 100_000

    outsider.execute("rollback")
    log.shorten(connection)
    for _ in range(3):
        await database.write(fill)
    assert log_size(database) <= size, "the log is started afresh once the reader has left"
    lock.close()


async def test_a_reader_that_stays_is_asked_less_and_less_often(
    database: Database, outsider: Connection, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_keeper, "LONG_LOG", 10)
    log, connection, lock = keeper(database, measured)
    await database.write(fill)
    outsider.execute("begin")
    outsider.execute("select count(*) from runs").fetchone()
    taken = Measured()
    monkeypatch.setattr(lock, "_meter", taken)
    clock = iter(range(1000))
    monkeypatch.setattr("time.monotonic", lambda: next(clock) / 10)
    for _ in range(100):
        log.shorten(connection)
    assert 2 <= len(taken.held) <= 10
    lock.close()


async def test_another_program_that_writes_is_waited_for_outside_the_lock(
    database: Database, outsider: Connection
) -> None:
    outsider.execute("begin immediate")
    writing = asyncio.create_task(database.write(fill))
    lock = FileLock(database.path.with_name("runyard.db.lock"))
    lock.open()
    for _ in range(5):
        with lock:
            await asyncio.sleep(0)
    assert not writing.done()
    outsider.execute("rollback")
    await writing
    lock.close()


async def test_another_program_that_never_ends_its_write_makes_the_database_unavailable(
    database: Database, outsider: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.05)
    outsider.execute("begin immediate")
    with pytest.raises(Unavailable, match="locked"):
        await database.write(fill)
    outsider.execute("rollback")
    await database.write(fill)


async def test_a_transaction_takes_no_more_writes_once_it_has_taken_long(
    database: Database, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LONGEST_GROUP", 0.0)
    before = len(measured.held)
    first = threading.Event()
    held_up = asyncio.create_task(database.write(lambda connection: first.wait(60)))
    await asyncio.sleep(0)
    others = [asyncio.create_task(database.write(fill)) for _ in range(3)]
    await asyncio.sleep(0)
    first.set()
    await asyncio.gather(held_up, *others)
    await database.write(lambda connection: None)
    assert len(measured.held) - before >= 4, "each of them had a transaction of its own"


async def test_a_search_that_takes_too_long_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "LONGEST_SEARCH", 0.05)
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    with pytest.raises(Unavailable, match="narrower"):
        await database.read_in_pool(lambda connection: connection.execute(endless).fetchone(), "search")
    assert await database.read_in_pool(lambda connection: connection.execute("select 1").fetchone(), "search") == (1,)


async def test_searches_hold_up_neither_lookups_nor_probes(database: Database) -> None:
    done = threading.Event()
    searches = [
        asyncio.create_task(database.read_in_pool(lambda connection: done.wait(60), "search")) for _ in range(5)
    ]
    await asyncio.sleep(0)
    for _ in range(2):
        assert await database.read_in_pool(lambda connection: 1, "lookup") == 1
        assert await database.read_in_pool(lambda connection: 1, "probe") == 1
    done.set()
    assert all(await asyncio.gather(*searches))


OPENING = """
import sys
from pathlib import Path
from runyard.runtime.storage.sqlite.database.database import Database

database = Database(Path(sys.argv[1]))
database.open()
database.close()
"""


async def test_a_database_is_opened_once_another_program_has_written(database: Database, outsider: Connection) -> None:
    outsider.execute("begin immediate")
    opening = await asyncio.create_subprocess_exec(sys.executable, "-c", OPENING, str(database.path))
    await asyncio.sleep(0.3)
    outsider.execute("rollback")
    assert await asyncio.wait_for(opening.wait(), 60) == 0


async def test_writer_and_log_keeper_exclude_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(tmp_path / "runyard.db")
    database.open(maintain=True)
    log = database._log_keeper
    assert log is not None
    assert log._lock is not database._lock, "two threads that share a handle both hold it"
    database.close()
