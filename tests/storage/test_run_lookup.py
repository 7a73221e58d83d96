"""Finding runs: by thread, by their own id."""

from __future__ import annotations

import uuid

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import RunLocation
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim,
    idle_thread,
    insert,
    on_thread,
    stateless,
)


async def test_the_runs_of_a_thread_come_newest_first_and_in_pages(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    new_runs = [await insert(storage, on_thread(thread_id)) for _ in range(4)]
    await claim(storage, "worker", new_runs[0])

    async def found(limit: int = 10, offset: int = 0, status: object = None) -> list[str]:
        runs = await storage.runs.of_thread(Scope.everything(), thread_id, limit=limit, offset=offset, status=status)  # type: ignore[arg-type]
        return [run.run_id for run in runs]

    newest_first = [new_run.run_id for new_run in reversed(new_runs)]
    assert (await found())[:4] == newest_first
    assert await found(limit=2) == newest_first[:2]
    assert await found(limit=2, offset=1) == newest_first[1:3]
    assert await found(status="pending") == newest_first[:3]
    assert await found(status="running") == newest_first[3:]
    assert await found(status="error") == []
    assert await storage.runs.of_thread(Scope.everything(), str(uuid.uuid4()), limit=9, offset=0, status=None) == []


async def test_a_run_belongs_to_its_thread(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    assert await storage.runs.get(Scope.everything(), str(uuid.uuid4()), new_run.run_id) is None
    assert await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id) is not None
    found = await storage.runs.find(Scope.everything(), new_run.run_id)
    assert found is not None
    assert (found.thread_id, found.run_id) == (new_run.thread_id, new_run.run_id)
    assert await storage.runs.find(Scope.everything(), str(uuid.uuid4())) is None
    assert await storage.runs.locate(Scope.everything(), new_run.run_id) == RunLocation(new_run.thread_id, True)
    assert await storage.runs.locate(Scope.everything(), str(uuid.uuid4())) is None
