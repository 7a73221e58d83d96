"""Connections to Postgres that break, swallow all, or cannot be made: nobody waits for long, and all goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from runyard.runtime.errors import LeaseLost, Unanswered, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.patience import patience
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.exchange import Row
from runyard.runtime.storage.postgres.database.target import Target

from .builders import claim, claim_all, finish_request, insert, run_status, stateless
from .postgres_handles import PostgresHandles
from .postgres_proxy import PostgresProxy, postgres_proxy
from .postgres_server import address

PATIENCE = 60.0


@pytest.fixture
async def proxy() -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(address()) as proxy:
        yield proxy


@pytest.fixture
async def database(proxy: PostgresProxy) -> AsyncIterator[Database]:
    database = Database(Target.parse(proxy.address), connections=2, seconds=0.5)
    assert await database.read(answer) == 42
    yield database
    proxy.let_through()
    await asyncio.to_thread(database.close)


def answer(connection: Connection) -> int:
    row = connection.execute("select 42").fetchone()
    assert row is not None
    return int(row[0])


async def until_back(database: Database) -> int:
    """Asks until it is answered."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return await database.write(answer)
        except Unavailable:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)


async def test_what_is_asked_on_a_connection_that_was_cut_is_asked_again_on_another(
    proxy: PostgresProxy, database: Database
) -> None:
    proxy.cut()
    assert await database.read(answer) == 42
    proxy.cut()
    assert await database.write(answer) == 42
    assert proxy.accepted > 1


async def test_where_no_more_connections_are_let_in_those_that_there_are_serve_all(
    proxy: PostgresProxy, database: Database
) -> None:
    proxy.refuse()

    def slowly(connection: Connection) -> int:
        connection.execute("select pg_sleep(0.05)")
        return answer(connection)

    assert await asyncio.gather(*(database.write(slowly) for _ in range(10))) == [42] * 10
    assert await database.write(answer, pool="lease") == 42
    await proxy.listen()


async def test_connections_that_are_not_needed_any_more_are_closed(
    proxy: PostgresProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.connections.UNUSED_AFTER", 0.0)
    database = Database(Target.parse(make_conninfo(proxy.address, application_name="closing")), connections=4)
    together = threading.Barrier(4, timeout=PATIENCE)

    def at_once(connection: Connection) -> int:
        together.wait()
        return answer(connection)

    assert await asyncio.gather(*(database.write(at_once) for _ in range(4))) == [42] * 4
    while await database.read(connected) > 1:  # noqa: ASYNC110 - what the database counts cannot be awaited
        await asyncio.sleep(0.05)
    assert proxy.accepted >= 4
    await asyncio.to_thread(database.close)


def connected(connection: Connection) -> int:
    found = connection.execute("select count(*) from pg_stat_activity where application_name = 'closing'").fetchone()
    assert found is not None
    return int(found[0])


async def test_while_no_connection_can_be_made_all_is_refused_at_once_and_then_goes_on(
    proxy: PostgresProxy, database: Database
) -> None:
    proxy.refuse()
    proxy.cut()
    for _ in range(20):
        with pytest.raises(Unavailable) as refused:
            await database.write(answer)
        assert refused.value.retry_after is not None
    await proxy.listen()
    assert await until_back(database) == 42


@pytest.mark.full  # it takes seconds until that is certain
async def test_a_network_that_swallows_all_is_noticed_and_survived(proxy: PostgresProxy, database: Database) -> None:
    proxy.swallow()
    asked = [asyncio.ensure_future(ask(answer)) for ask in (database.read, database.write) for _ in range(5)]
    done, pending = await asyncio.wait(asked, timeout=PATIENCE)
    assert not pending, "nobody waits for what never comes"
    assert all(isinstance(future.exception(), Unavailable) for future in done)
    proxy.let_through()
    assert await until_back(database) == 42


async def test_a_statement_that_takes_too_long_is_given_up(database: Database) -> None:
    def sleep(connection: Connection) -> None:
        connection.execute("select pg_sleep(60)")

    for ask in (database.read, database.write):
        with pytest.raises(Unavailable, match="took too long") as given_up:
            await ask(sleep)
        assert given_up.value.retry_after is not None
    assert await database.read(answer) == 42


async def test_who_goes_away_within_a_change_keeps_others_from_their_locks_for_a_moment_only(
    proxy: PostgresProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.transactions.LONGEST_IDLE", 0.1)
    database = Database(Target.parse(proxy.address), connections=2)
    begun, go_on, tries = threading.Event(), threading.Event(), []

    def stall(connection: Connection) -> int:
        tries.append(connection)
        begun.set()
        assert go_on.wait(PATIENCE)
        return answer(connection)

    stalled = asyncio.ensure_future(database.write(stall, locks=["thread"]))
    await asyncio.to_thread(begun.wait, PATIENCE)
    # The one that waits for the lock gets it when the session of the other is ended.
    assert await database.write(answer, locks=["thread"]) == 42
    go_on.set()
    assert await stalled == 42
    assert len(tries) == 2, "its session was ended, so it was made again"
    await asyncio.to_thread(database.close)


async def test_what_waits_too_long_for_a_connection_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Barrier(3, timeout=PATIENCE), threading.Event()

    def hold(connection: Connection) -> int:
        begun.wait()
        assert go_on.wait(PATIENCE)
        return answer(connection)

    busy = [asyncio.ensure_future(database.write(hold)) for _ in "ab"]
    await asyncio.to_thread(begun.wait)
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.database.LONGEST_WAIT", 0.0)
    asked = asyncio.ensure_future(database.read(answer))
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(Unavailable, match="no connection") as refused:
        await asked
    assert refused.value.retry_after is not None
    await asyncio.gather(*busy)


async def test_what_is_asked_with_patience_waits_for_the_database(proxy: PostgresProxy, database: Database) -> None:
    proxy.refuse()
    proxy.cut()
    with pytest.raises(Unavailable):
        await database.read(answer)
    token = patience.set(PATIENCE)
    asked = [asyncio.ensure_future(ask(answer)) for ask in (database.read, database.write)]
    patience.reset(token)
    await asyncio.sleep(0)
    await proxy.listen()
    assert await asyncio.gather(*asked) == [42, 42]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_run_ends_once_though_its_end_was_not_answered(
    database: Database, postgres_handles: PostgresHandles, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    storage = postgres_handles.open()
    new_run = await insert(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    commit = Connection.commit

    def lost(connection: Connection) -> None:
        monkeypatch.setattr(Connection, "commit", commit)
        if kept:
            commit(connection)
        connection.break_off()
        commit(connection)

    monkeypatch.setattr(Connection, "commit", lost)
    token = patience.set(PATIENCE)
    try:
        await storage.queue.finish(finish_request(lease))
    except LeaseLost:
        assert kept, "it holds as long as the run has not ended"
    finally:
        patience.reset(token)
    assert await run_status(storage, new_run) == "success"


@pytest.mark.parametrize("ended", [False, True])
async def test_a_run_is_accepted_once_though_that_was_not_answered(
    database: Database, postgres_handles: PostgresHandles, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    storage = postgres_handles.open()
    new_run = stateless(temporary=True)
    transact, loop = Connection.transact, asyncio.get_running_loop()

    async def end() -> None:
        await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease, temporary=True))

    def lost(connection: Connection, *arguments: Any, **named: Any) -> list[Row]:
        monkeypatch.setattr(Connection, "transact", transact)
        transact(connection, *arguments, **named)
        if ended:  # before it is asked for again
            asyncio.run_coroutine_threadsafe(end(), loop).result(PATIENCE)
        connection.break_off()
        return transact(connection, *arguments, **named)

    monkeypatch.setattr(Connection, "transact", lost)
    await insert(storage, new_run)
    assert len(await claim_all(storage)) == (0 if ended else 1)
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert (thread is None) == ended, "its thread went with it, and is not made again"


async def test_who_is_not_answered_twice_is_told_that_it_may_have_been_done(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(connection: Connection, *arguments: Any, **named: Any) -> list[Row]:
        connection.break_off()
        return list(connection.execute("select 42"))

    monkeypatch.setattr(Connection, "transact", lost)
    with pytest.raises(Unanswered, match="may have been"):
        await asyncio.to_thread(database.write_one_here, "select 42", (), repeatable=True)
