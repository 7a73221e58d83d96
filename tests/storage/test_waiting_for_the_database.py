"""What runs write while Postgres cannot be had waits for it: no attempt is lost because a database was started anew."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future

import pytest

from runyard.runtime.errors import StorageUnavailable, Unavailable
from runyard.runtime.storage.postgres.checkpoints.checkpoints import PostgresCheckpoints
from runyard.runtime.storage.postgres.database import groups
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.groups import Groups
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.sql.queries import load_queries

from .builders import checkpoint_row
from .postgres_proxy import PostgresProxy, postgres_proxy
from .postgres_server import address


@pytest.fixture
async def proxy() -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(address()) as proxy:
        yield proxy


@pytest.fixture
async def database(proxy: PostgresProxy) -> AsyncIterator[Database]:
    database = Database(Target.parse(proxy.address), connections=2)
    yield database
    proxy.let_through()
    await asyncio.to_thread(database.close)


@pytest.fixture
def doubling(database: Database, monkeypatch: pytest.MonkeyPatch) -> Groups[int, int]:
    """Has the database double numbers."""
    monkeypatch.setattr(groups, "PAUSE", 0.01)

    def perform(connection: Connection, requests: Sequence[int]) -> list[int]:
        return [row[0] for number in requests for row in connection.execute("select 2 * %s::int", (number,)).fetchall()]

    return Groups(database, perform, lambda _: [])


async def lose(proxy: PostgresProxy, database: Database) -> None:
    """The database is away, and that was noticed."""
    proxy.refuse()
    proxy.cut()
    with pytest.raises(Unavailable):
        await database.write(lambda connection: connection.execute("select 1").fetchone())


async def test_what_was_asked_for_is_made_when_the_database_is_back(
    proxy: PostgresProxy, database: Database, doubling: Groups[int, int]
) -> None:
    assert await doubling.add(1) == 2
    await lose(proxy, database)
    asked: list[Future[int]] = [Future() for _ in range(3)]
    for number, future in enumerate(asked):
        doubling.put_off(number, future)
    await proxy.listen()
    assert [await asyncio.wrap_future(future) for future in asked] == [0, 2, 4]


async def test_what_was_asked_for_is_made_however_long_it_waits_for_a_connection(
    database: Database, doubling: Groups[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.database.LONGEST_WAIT", 0.05)
    busy = [
        asyncio.ensure_future(database.write(lambda connection: connection.execute("select pg_sleep(0.3)").rowcount))
        for _ in "ab"  # as many as there are connections
    ]
    await asyncio.sleep(0)
    assert await asyncio.gather(*(doubling.add(number) for number in range(3))) == [0, 2, 4]
    await asyncio.gather(*busy)
    assert await doubling.add(3) == 6


async def test_patience_has_an_end(
    proxy: PostgresProxy, database: Database, doubling: Groups[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "PATIENCE", 0.05)
    await lose(proxy, database)
    with pytest.raises(StorageUnavailable):
        await doubling.add(1)
    await proxy.listen()


async def test_checkpoints_that_a_client_writes_are_refused_at_once_while_the_database_is_away(
    proxy: PostgresProxy, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "PATIENCE", 3600.0)
    checkpoints = PostgresCheckpoints(database, load_queries("postgres"))
    await lose(proxy, database)
    with pytest.raises(StorageUnavailable):
        await checkpoints.append(None, [checkpoint_row("thread", "1")])
    await proxy.listen()


async def test_nothing_waits_longer_than_storage_is_open(
    proxy: PostgresProxy, database: Database, doubling: Groups[int, int]
) -> None:
    await lose(proxy, database)
    asked: Future[int] = Future()
    doubling.put_off(1, asked)
    await asyncio.to_thread(database.close)
    with pytest.raises(StorageUnavailable):
        await asyncio.wrap_future(asked)


def put_off_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "postgres-put-off"]


async def test_one_thread_sees_to_what_is_put_off_again_and_again(
    database: Database, doubling: Groups[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "UNUSED_AFTER", 3600.0)
    before, seen = put_off_threads(), set[threading.Thread]()
    for number in range(3):
        asked: Future[int] = Future()
        doubling.put_off(number, asked)
        seen |= {*put_off_threads()} - {*before}
        assert await asyncio.wrap_future(asked) == 2 * number
    (thread,) = seen
    await asyncio.to_thread(database.close)
    await asyncio.to_thread(thread.join)


async def test_the_thread_for_what_is_put_off_ends_when_it_is_not_needed(
    doubling: Groups[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "UNUSED_AFTER", 0.01)
    before = put_off_threads()
    for number in range(2):
        asked: Future[int] = Future()
        doubling.put_off(number, asked)
        threads = [thread for thread in put_off_threads() if thread not in before]
        assert await asyncio.wrap_future(asked) == 2 * number
        for thread in threads:
            await asyncio.to_thread(thread.join)
