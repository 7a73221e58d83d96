"""Items that were put when there was another index, or none, are put into the present one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base.embed import ensure_embeddings

from runyard.runtime.config.project import Project, StoreIndex
from runyard.runtime.errors import Unavailable
from runyard.runtime.maintenance.duty import MORE_TO_DO
from runyard.runtime.maintenance.store_indexing import INTERVAL, StoreIndexing
from runyard.runtime.scope import Scope
from runyard.runtime.services.store import VIEWS_AT_ONCE, Store
from runyard.runtime.services.store_views import StoreViews
from runyard.runtime.storage.port.store import PutItem
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.store.embedder import Embedder
from runyard.runtime.store.fenced import FencedStore
from runyard.runtime.store.index import Index

CONFIG = StoreIndex(embed="./e.py:e", dims=2, fields=("text",))
PROJECT = Project(path=Path("langgraph.json"), directory=Path(), graphs={}, import_paths=(), store_index=CONFIG)


class Words:
    """Embeds by the letter a text begins with, as long as it works."""

    def __init__(self) -> None:
        self.works = True

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        if not self.works or "poison" in texts:
            raise ValueError("no words")
        return [[1.0, 0.0] if text.startswith("a") else [0.0, 1.0] for text in texts]


class Views:
    """A viewer in this event loop."""

    def __init__(self, views: StoreViews) -> None:
        self._views = views

    async def ready(self) -> None:
        pass

    async def ask(self, view: str, *arguments: Any) -> bytes:
        answer: bytes = await getattr(self._views, view)(*arguments)
        return answer


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        await storage.store.ready(dims=2)
        yield storage


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def index(words: Words) -> Index:
    return Index(CONFIG, Embedder(CONFIG, ensure_embeddings(words)))


@pytest.fixture
def duty(storage: SqliteStorage, index: Index) -> StoreIndexing:
    return StoreIndexing(Store(storage, PROJECT, Views(StoreViews(storage.store, index))))


async def put(storage: SqliteStorage, *texts: str) -> None:
    puts = [PutItem(namespace=("n",), key=text, value=b'{"text":"%s"}' % text.encode()) for text in texts]
    await storage.store.batch(Scope.everything(), puts)


async def found(storage: SqliteStorage, index: Index) -> list[str]:
    store = FencedStore(storage.store, asyncio.get_running_loop(), None, index)
    return sorted(item.key for item in await store.asearch(("n",), query="a", limit=1000))


async def test_slow_code_is_asked_by_few_at_once_and_the_others_are_told(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, full = asyncio.Event(), asyncio.Event()
    asked: list[str] = []

    class Slow:
        async def ready(self) -> None:
            pass

        async def ask(self, view: str, *arguments: Any) -> bytes:
            asked.append(view)
            if len(asked) == VIEWS_AT_ONCE:
                full.set()
            await release.wait()
            return b"null"

    monkeypatch.setattr("runyard.runtime.services.store.LONGEST_WAIT", 0.01)
    store = Store(storage, PROJECT, Slow())
    given = {"namespace": ["n"], "key": "k", "value": {"text": "a"}}
    first = [asyncio.create_task(store.put(Scope.everything(), given)) for _ in range(VIEWS_AT_ONCE)]
    await full.wait()
    with pytest.raises(Unavailable, match="so many others wait"):
        await store.put(Scope.everything(), given)
    await store.put(Scope.everything(), {**given, "index": False})
    release.set()
    await asyncio.gather(*first)
    await store.put(Scope.everything(), given)
    assert asked == ["put_item"] * (VIEWS_AT_ONCE + 1)


async def test_they_are_found_after_some_steps_and_the_log_says_so(
    storage: SqliteStorage, index: Index, duty: StoreIndexing, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [f"a{number}" for number in range(60)]
    await put(storage, *texts)
    assert await found(storage, index) == []
    assert [await duty.perform() for _ in range(3)] == [MORE_TO_DO, MORE_TO_DO, INTERVAL]
    assert await found(storage, index) == sorted(texts)
    first, last = (record.getMessage() for record in caplog.records)
    assert "60 items are not in the index of ./e.py:e with 2 dimensions" in first
    assert "all items are in the index" in last


async def test_what_the_code_does_not_take_keeps_nothing_else_out(
    storage: SqliteStorage, index: Index, duty: StoreIndexing, caplog: pytest.LogCaptureFixture
) -> None:
    await put(storage, "a1", "poison", "a2")
    assert [await duty.perform() for _ in range(2)] == [MORE_TO_DO, INTERVAL]
    assert await found(storage, index) == ["a1", "a2"]
    assert any("1 items of the store are not found" in record.getMessage() for record in caplog.records)


async def test_code_that_fails_is_asked_again_after_a_while(
    storage: SqliteStorage, index: Index, words: Words, duty: StoreIndexing, caplog: pytest.LogCaptureFixture
) -> None:
    await put(storage, "a1", "a2")
    words.works = False
    assert [await duty.perform() for _ in range(2)] == [INTERVAL, INTERVAL]
    assert [record.levelno for record in caplog.records] == [logging.WARNING], "it is said once"
    words.works = True
    await duty.perform()
    assert await found(storage, index) == ["a1", "a2"]
