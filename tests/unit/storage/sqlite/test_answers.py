"""An answer that is what its thread holds is written once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.storage.builders import claim, finish_request, insert, on_thread, stateless


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()


def written(folder: Path) -> list[bytes | None]:
    """What the rows of runs say, in the order of their creation."""
    with closing(sqlite3.connect(folder / "runyard.db")) as connection:
        return [answer for (answer,) in connection.execute("select answer from runs order by seq")]


async def end(storage: SqliteStorage, new_run: NewRun, values: bytes, **changes: Any) -> None:
    lease = (await claim(storage, "worker", await insert(storage, new_run))).lease
    await storage.queue.finish(finish_request(lease, **{"answer": values, "values": values, **changes}))


async def test_only_runs_whose_thread_holds_something_else_have_an_answer_of_their_own(
    storage: SqliteStorage, tmp_path: Path
) -> None:
    first = stateless()
    await end(storage, first, b"1")
    assert written(tmp_path) == [None]
    await end(storage, on_thread(first.thread_id), b"2")
    assert written(tmp_path) == [b"1", None]
    await end(storage, on_thread(first.thread_id), b"3", answer=b"of its own")
    assert written(tmp_path) == [b"1", b"2", b"of its own"]
    await end(storage, stateless(temporary=True), b"4", temporary=True)
    assert written(tmp_path)[-1] == b"4"
