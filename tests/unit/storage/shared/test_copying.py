"""Copies of threads that do not come to their end leave nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.runtime.errors import Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.shared import copying
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.storage.builders import checkpoint_row, idle_thread


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStorage]:
    monkeypatch.setattr(copying, "PAGE_ROWS", 2)
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()


class Crash(Exception):
    """Stands for the end of the process between two pages."""


async def cut_copy(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Source and target of a copy that was cut after its first page."""
    source, target = await idle_thread(storage), str(uuid.uuid4())
    await storage.checkpoints.append(None, [checkpoint_row(source, str(step)) for step in range(9)])
    pages = copying._pages

    def two_pages(reader: Statements, sql: Queries, thread_id: str) -> Iterator[copying.Page]:
        for number, page in enumerate(pages(reader, sql, thread_id)):
            if number == 2:
                raise Crash
            yield page

    with monkeypatch.context() as patched:
        patched.setattr(copying, "_pages", two_pages)
        with pytest.raises(Crash):
            await storage.threads.copy(Scope.everything(), source, target)
    return source, target


async def rows(storage: SqliteStorage, thread_id: str) -> int:
    return len(await storage.checkpoints.history(thread_id, None, before=None, limit=None)) + len(
        await storage.checkpoints.blobs(thread_id, "", {"log": "1"})
    )


async def test_what_was_copied_is_removed_after_a_while(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "ABANDONED_AFTER", 0)
    _, target = await cut_copy(storage, monkeypatch)
    assert await rows(storage, target) > 0
    assert await storage.threads.get(Scope.everything(), target) is None
    while (await storage.threads.remove_leftovers()).more:
        pass
    assert await rows(storage, target) == 0


async def test_what_is_being_copied_is_left_alone(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    _, target = await cut_copy(storage, monkeypatch)
    before = await rows(storage, target)
    assert not (await storage.threads.remove_leftovers()).more
    assert await rows(storage, target) == before

    await storage.threads.create(Scope.everything(), NewThread(thread_id=target, metadata={}), "raise")
    assert await rows(storage, target) == 0, "whoever uses the id gives the copy up"


async def test_a_copy_that_was_given_up_meanwhile_is_not_finished(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = await cut_copy(storage, monkeypatch)
    await storage.threads.create(Scope.everything(), NewThread(thread_id=target, metadata={}), "raise")
    await storage.threads.delete(Scope.everything(), [target])
    write = copying._write_marked

    def given_up(connection: Statements, **given: object) -> None:
        write(connection, **given)  # type: ignore[arg-type]
        connection.execute("delete from discarded_threads")

    monkeypatch.setattr(copying, "_write_marked", given_up)
    with pytest.raises(Unavailable, match="given up"):
        await storage.threads.copy(Scope.everything(), source, target)
    assert await storage.threads.get(Scope.everything(), target) is None
