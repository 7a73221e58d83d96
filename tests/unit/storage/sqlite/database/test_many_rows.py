"""Many rows at once are as whole as one."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.sqlite.database.many_rows import ROWS
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.storage.builders import stateless


async def test_a_batch_is_written_in_order_and_as_a_whole(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    new_runs = [stateless(metadata={"number": number}) for number in range(2 * ROWS + 7)]
    inserted = await storage.runs.insert(Scope.everything(), new_runs)
    assert [run.metadata["number"] for run in inserted.runs] == list(range(len(new_runs)))
    claimed = await storage.queue.claim("worker", limit=1000, interactive=1000)
    assert [leased.lease.run_id for leased in claimed] == [new_run.run_id for new_run in new_runs]
    assert [leased.metadata["number"] for leased in claimed] == list(range(len(new_runs)))

    more = [stateless() for _ in range(2 * ROWS + 7)]
    for place in (ROWS + 1, len(more) - 1):
        taken = [*more[:place], replace(more[place], run_id=new_runs[0].run_id), *more[place + 1 :]]
        with pytest.raises(sqlite3.IntegrityError):
            await storage.runs.insert(Scope.everything(), taken)
        assert await storage.threads.get(Scope.everything(), more[0].thread_id) is None
    assert (await storage.queue.depth()).ready == 0
    storage.close()
