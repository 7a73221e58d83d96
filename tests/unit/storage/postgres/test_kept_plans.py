"""What the functions for every run look at, by plans that a session has kept since the tables were empty: few rows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import psycopg
import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import checkpoint_row, finish_request, ref, stateless
from tests.storage.postgres_server import address, schema_of

FEW, MANY = 4, 2_000
STEPS = [f"c0.{number}" for number in range(8)]
"""After five executions a session keeps the plan that it has made then."""
LOOKS = """
select relname, seq_tup_read > 0, coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables
where schemaname = current_schema()
"""


async def save_and_read(storage: PostgresStorage, leases: Sequence[Lease]) -> None:
    for step in STEPS:
        saved = [storage.checkpoints.append(lease, [checkpoint_row(lease.thread_id, step)]) for lease in leases]
        await asyncio.gather(*map(asyncio.wrap_future, saved))
        read = await storage.checkpoints.latest(leases[0].thread_id, "", lambda kind, data: {"log": "1"})
        assert read is not None
        assert set(read.blobs) == {"log"}


async def execute(storage: PostgresStorage, temporary: bool) -> None:
    new_runs = [stateless(temporary=temporary) for _ in range(FEW)]
    await asyncio.gather(*(storage.runs.insert(Scope.everything(), [each]) for each in new_runs))
    leased = await storage.queue.claim("w1", limit=FEW, interactive=FEW)
    assert len(leased) == FEW
    if not temporary:
        await save_and_read(storage, [each.lease for each in leased])
    await asyncio.gather(
        *(
            storage.queue.finish(
                finish_request(each.lease, temporary=each.temporary),
                [] if each.temporary else [checkpoint_row(each.lease.thread_id, "c1")],
            )
            for each in leased
        )
    )


async def remove(storage: PostgresStorage, count: int) -> None:
    """Removes so many threads, each with a run that has ended."""
    ended = [stateless(delay=3600.0) for _ in range(count)]
    await storage.runs.insert(Scope.everything(), ended)
    await storage.runs.cancel(Scope.everything(), [ref(run) for run in ended], "interrupt")
    removed = await storage.threads.delete(Scope.everything(), [run.thread_id for run in ended])
    assert len(removed.threads) == count


WORK: dict[str, Callable[[PostgresStorage, int], Awaitable[None]]] = {
    "a run": lambda storage, there: execute(storage, temporary=False),
    "a temporary run": lambda storage, there: execute(storage, temporary=True),
    "threads that go": lambda storage, there: remove(storage, 300 if there == FEW else FEW),
}
"""By what it is for. Each does something while there are so many runs beside it."""


@pytest.mark.parametrize("name", WORK)
async def test_few_rows_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    temporary = name == "a temporary run"
    target = Target.parse(address(), schema_of(tmp_path))
    storage = PostgresStorage(target, connections=1)
    storage.open(maintain=False)
    looks: list[tuple[str, bool, int]] = []
    commit = Connection.commit

    def noting(self: Connection) -> None:
        looks.extend(self.execute(LOOKS).fetchall())
        commit(self)
        self.execute("select pg_stat_force_next_flush()")  # so that the next ones are those of the next transaction

    monkeypatch.setattr(Connection, "commit", noting)
    try:
        for count in (FEW, MANY):
            runs = [stateless(temporary=temporary) for _ in range(count)]
            await storage.runs.insert(Scope.everything(), runs)
            others = [checkpoint_row("of another", f"c{count}.{number}", blobs=[]) for number in range(count)]
            await storage.checkpoints.append(None, others)
            looks.clear()
            await WORK[name](storage, count)
        assert {"runs", "threads"} <= {table for table, _, rows in looks if rows}
        for table, whole, rows in looks:
            assert not whole, table
            assert rows < MANY / 10, (table, rows)
    finally:
        storage.close()
        with psycopg.connect(target.url) as connection:
            connection.execute(f"drop schema {target.schema} cascade")
