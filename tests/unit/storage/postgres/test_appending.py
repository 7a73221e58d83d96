"""What runs save is written in few statements: each is a round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.exchange import Answer
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import checkpoint_row, claim_all, insert, stateless
from tests.storage.postgres_server import address, schema_of
from tests.storage.prepared import clear_schema, lay_schema


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[PostgresStorage]:
    lay_schema(tmp_path)
    storage = PostgresStorage(Target.parse(address(), schema_of(tmp_path)))
    storage.open(maintain=False)
    yield storage
    storage.close()
    clear_schema(tmp_path)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been asked of the database."""
    asked: list[str] = []
    execute = Connection.execute

    def noted(self: Connection, statement: str, parameters: Any = ()) -> Answer:
        asked.append(statement)
        return execute(self, statement, parameters)

    monkeypatch.setattr(Connection, "execute", noted)
    return asked


async def test_what_runs_save_is_fenced_and_written_by_one_statement(
    storage: PostgresStorage, statements: list[str]
) -> None:
    await insert(storage, *(stateless() for _ in range(10)))
    leases = [leased.lease for leased in await claim_all(storage)]
    statements.clear()
    appends = [storage.checkpoints.append(lease, [checkpoint_row(lease.thread_id, "1")]) for lease in leases]
    await asyncio.gather(*(asyncio.wrap_future(append) for append in appends))
    # How many go together depends on how quick the machine is.
    assert 1 <= len(statements) <= len(leases)
    assert all("append_checkpoint_rows" in statement for statement in statements)
    for lease in leases:
        assert await storage.checkpoints.latest(lease.thread_id, "") is not None
