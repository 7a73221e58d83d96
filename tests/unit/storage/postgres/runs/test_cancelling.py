"""Many runs are cancelled in few statements: each is a round trip."""

from __future__ import annotations

from typing import Any

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewRun, RunRef
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import insert, ref, run_status, stateless

ALL = Scope.everything()


async def test_many_runs_take_no_more_statements_than_few(
    storage: PostgresStorage, statements: list[tuple[str, Any]]
) -> None:
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
