"""A pooler in transaction mode stands between: nothing is left in a session, and nothing is looked for in one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.exchange import KEPT
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage

from .builders import checkpoint_row, claim_all, finish_request, idle_thread, insert, on_thread, run_status, stateless
from .postgres_server import address, schema_of
from .prepared import clear_schema, lay_schema
from .transaction_pooler import TransactionPooler


@contextmanager
def pooler_before(address: str) -> Iterator[TransactionPooler]:
    """On a loop of its own, so that who blocks another one is served too."""
    loop, pooler, ready = asyncio.new_event_loop(), TransactionPooler(address, sessions=3), threading.Event()

    async def serve() -> None:
        await pooler.start()
        ready.set()
        await asyncio.Event().wait()

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)
        loop.close()

    serving = loop.create_task(serve())
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    yield pooler
    loop.call_soon_threadsafe(pooler.stop)
    loop.call_soon_threadsafe(serving.cancel)
    thread.join(20)


@pytest.fixture(params=["named schema", "search path"])
def pooler(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[TransactionPooler, str | None]]:
    """In front of an empty schema, which is to be named, or is where the user's search path leads."""
    lay_schema(tmp_path)
    schema = schema_of(tmp_path)
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"create role {schema} login superuser")
        if request.param == "search path":
            connection.execute(f"alter role {schema} set search_path = {schema}")
        with pooler_before(f"{address()} user={schema}") as pooler:
            yield pooler, schema if request.param == "named schema" else None
        connection.execute(f"drop role {schema}")
    clear_schema(tmp_path)


def test_no_statement_is_kept_in_a_session_of_a_pooler(pooler: tuple[TransactionPooler, str | None]) -> None:
    connection = Connection(Target.parse(pooler[0].address))
    try:
        for number in range(6):  # twice in each session
            assert connection.execute(f"{KEPT} select %s::bigint", (number,)).fetchone() == (number,)
            assert connection.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
    finally:
        connection.close()


async def test_runs_are_executed_through_a_pooler(pooler: tuple[TransactionPooler, str | None]) -> None:
    between, schema = pooler
    storage: Storage = PostgresStorage(Target.parse(between.address, schema))
    storage.open(maintain=True)
    storage.workers.register("worker")
    everything = Scope.everything()
    thread_id = await idle_thread(storage)
    new_runs = [await insert(storage, on_thread(thread_id)), *(stateless() for _ in range(150))]
    await insert(storage, *new_runs[1:])
    ended = 0
    while leased := await claim_all(storage):
        for each in leased:
            rows = [checkpoint_row(each.lease.thread_id, "1")]
            await asyncio.wrap_future(storage.checkpoints.append(each.lease, rows))
        await storage.workers.heartbeat("worker", [each.lease for each in leased])
        await asyncio.gather(*(storage.queue.finish(finish_request(each.lease)) for each in leased))
        ended += len(leased)
    assert ended == len(new_runs)
    copied = await storage.threads.copy(everything, thread_id, str(uuid.uuid4()))
    assert copied is not None
    assert await run_status(storage, new_runs[-1]) == "success"
    assert await storage.workers.alive() == {"worker": "running"}
    await storage.check()
    storage.close()
    assert between.refused == set()
    assert between.transactions > 20
