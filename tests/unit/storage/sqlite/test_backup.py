"""Copies of data directories that are in use."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.runtime.errors import ConfigError
from runyard.runtime.scope import Scope
from runyard.runtime.services.backup import back_up
from runyard.runtime.storage.sqlite import backup
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.storage.builders import claim_all, finish_request, stateless

BATCH = 20


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def storage(data: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(data / "runyard.db")
    storage.open(maintain=True)
    with sqlite3.connect(data / "store.db") as store:
        store.execute("create table store (key text)")
    store.close()
    yield storage
    storage.close()


def quietly(done: int, total: int) -> None:
    assert 0 <= done <= total


async def test_a_copy_is_the_state_of_one_moment_while_others_write(
    storage: SqliteStorage, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 5)
    for _ in range(20):
        await storage.runs.insert(Scope.everything(), [stateless() for _ in range(BATCH)])
    copying = asyncio.create_task(asyncio.to_thread(back_up, data, tmp_path / "copy", quietly))
    written = 0
    while not copying.done():
        await storage.runs.insert(Scope.everything(), [stateless() for _ in range(BATCH)])
        written += 1
    assert await copying == ["runyard.db", "store.db"]
    assert written > 1, "others could write meanwhile"

    copy = SqliteStorage(tmp_path / "copy" / "runyard.db")
    copy.open(maintain=False)
    depth = await copy.queue.depth()
    assert depth.ready >= 20 * BATCH
    assert depth.ready % BATCH == 0, "batches are whole or not there"
    for leased in await claim_all(copy, "restored"):
        await copy.queue.finish(finish_request(leased.lease))
    assert (await copy.queue.depth()).running == 0
    copy.close()


def test_a_copy_is_private_and_two_files(storage: SqliteStorage, data: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "copy"
    back_up(data, target, quietly)
    assert sorted(path.name for path in target.iterdir()) == ["runyard.db", "store.db"]
    assert [path.name for path in target.parent.iterdir()] == ["copy"]
    for path in (target, *target.iterdir()):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_an_empty_directory_is_filled_and_another_is_refused(
    storage: SqliteStorage, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "copy").mkdir()
    back_up(data, tmp_path / "copy", quietly)
    before = (tmp_path / "copy" / "runyard.db").stat()
    with pytest.raises(ConfigError, match="something already"):
        back_up(data, tmp_path / "copy", quietly)
    assert (tmp_path / "copy" / "runyard.db").stat().st_mtime_ns == before.st_mtime_ns


def test_nothing_is_left_of_a_copy_that_is_not_sound(storage: SqliteStorage, data: Path, tmp_path: Path) -> None:
    (data / "store.db").write_bytes(b"no database, though it is as long as one has to be" * 100)
    with pytest.raises(ConfigError, match=r"store\.db"):
        back_up(data, tmp_path / "copies" / "one", quietly)
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_directory_without_a_database(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data"):
        back_up(tmp_path, tmp_path / "copy", quietly)
