"""Searches of what has come since Postgres last looked at the tables: it takes it for a row or two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runyard.generated.models import ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewBatch
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import stateless
from tests.storage.postgres_server import address, schema_of

ALL = Scope.everything()
MINE = Scope(identity="me", filter={"owner": "me"})
MANY = 3_000
IDS = [f"mine{number}" for number in range(MANY)]
BATCH = NewBatch(batch_id="mine", metadata={"owner": "me"})
MOST = 20
"""Times that a row may be looked at; not for each other one."""


@pytest.fixture
async def connection(tmp_path: Path, storage: PostgresStorage) -> AsyncIterator[psycopg.Connection]:
    """To a database that knows of few threads and runs, and has many more."""
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"set search_path = {schema_of(tmp_path)}")
        for table in ("threads", "thread_tags", "runs"):
            connection.execute(f"alter table {table} set (autovacuum_enabled = false)")
        others = [stateless(delay=3600.0, thread_metadata={"owner": f"o{number}"}) for number in range(MANY // 10)]
        await storage.runs.insert(ALL, others)
        connection.execute("analyze threads, thread_tags, runs")
        mine = [stateless(thread_id=thread_id, delay=3600.0, thread_metadata={"owner": "me"}) for thread_id in IDS]
        await storage.runs.insert(ALL, mine, BATCH)
        connection.execute("update threads set status = 'idle' where thread_id = any(%s)", (IDS,))
        yield connection


SEARCHES: dict[str, Callable[[PostgresStorage], Awaitable[object]]] = {
    "threads counted": lambda storage: storage.threads.count(
        ALL, ThreadCountRequest(metadata={"owner": "me"}, status="idle")
    ),
    "threads by id": lambda storage: storage.threads.search(
        ALL, ThreadSearchRequest(ids=IDS, status="idle"), limit=10, offset=0
    ),
    "threads in scope": lambda storage: storage.threads.search(
        MINE, ThreadSearchRequest(status="idle"), limit=10, offset=0
    ),
    "runs to be cancelled": lambda storage: storage.runs.cancellable(
        MINE, thread_id=None, run_ids=None, status="all", limit=MANY
    ),
    "items of a batch": lambda storage: storage.batches.runs(MINE, "mine", statuses=None, limit=MANY, offset=0),
}


@pytest.mark.parametrize("name", SEARCHES)
async def test_a_search_looks_at_each_row_a_few_times(
    connection: psycopg.Connection, storage: PostgresStorage, statements: list[tuple[str, Any]], name: str
) -> None:
    statements.clear()
    assert await SEARCHES[name](storage)
    assert statements
    for statement, parameters in statements:
        explain = f"explain (analyze, format json) {statement}"
        (found,) = connection.execute(explain, parameters).fetchone() or ([],)
        looks = sum(looked_at(step) for step in steps(found[0]["Plan"]))
        assert looks <= MOST * MANY, (statement, looks)


def steps(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from steps(below)


def looked_at(step: dict[str, Any]) -> float:
    """Rows that a step of a plan gave or left out."""
    rows = sum(step.get(key, 0) for key in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter"))
    return float(rows * step["Actual Loops"])
