"""Many runs are cancelled in few statements: each is a round trip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewRun, RunRef
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.exchange import Answer
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import insert, ref, run_status, stateless
from tests.storage.postgres_server import address, schema_of
from tests.storage.prepared import clear_schema, lay_schema

ALL = Scope.everything()


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


async def test_many_runs_take_no_more_statements_than_few(storage: PostgresStorage, statements: list[str]) -> None:
    async def cancel(count: int) -> int:
        runs: list[NewRun] = [await insert(storage, stateless(delay=60.0)) for _ in range(count)]
        refs: list[RunRef] = [ref(run) for run in runs]
        statements.clear()
        result = await storage.runs.cancel(ALL, refs, "interrupt")
        asked = len(statements)
        assert sorted(result.ended) == sorted(run.run_id for run in runs)
        assert {await run_status(storage, run) for run in runs} == {"interrupted"}
        return asked

    assert await cancel(30) <= await cancel(2)
