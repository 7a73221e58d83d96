"""What a run writes to the store is refused once its lease is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.base.embed import ensure_embeddings

from runyard.runtime.config.project import StoreIndex, StoreTtl
from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.store.embedder import Embedder
from runyard.runtime.store.fenced import FencedStore, check_before_writing
from runyard.runtime.store.index import Index

PLACE = ("notes",)

WRITES: dict[str, Callable[[BaseStore], Awaitable[Any]]] = {
    "aput": lambda store: store.aput(PLACE, "a", {"n": 2}),
    "adelete": lambda store: store.adelete(PLACE, "a"),
    "abatch": lambda store: store.abatch([PutOp(PLACE, "a", {"n": 2})]),
    "put": lambda store: asyncio.to_thread(store.put, PLACE, "a", {"n": 2}),
    "delete": lambda store: asyncio.to_thread(store.delete, PLACE, "a"),
    "batch": lambda store: asyncio.to_thread(store.batch, [PutOp(PLACE, "a", {"n": 2})]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_run_writes_as_long_as_its_lease_holds(
    tmp_path: Path, write: Callable[[BaseStore], Awaitable[Any]]
) -> None:
    lost = False

    async def check() -> None:
        if lost:
            raise LeaseLost("it is another worker's")

    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        store = FencedStore(storage.store, asyncio.get_running_loop())
        await store.aput(PLACE, "a", {"n": 1})
        check_before_writing(check)
        lost = True
        with pytest.raises(LeaseLost):
            await write(store)
        item = await store.aget(PLACE, "a")
        assert item is not None
        assert item.value == {"n": 1}
        lost = False
        await write(store)
        item = await store.aget(PLACE, "a")
        assert item is None or item.value == {"n": 2}


async def test_a_sync_call_in_the_event_loop_is_refused(tmp_path: Path) -> None:
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        store = FencedStore(storage.store, asyncio.get_running_loop())
        with pytest.raises(asyncio.InvalidStateError, match="aput"):
            store.put(PLACE, "a", {"n": 1})


def test_a_process_that_does_not_use_the_store_does_without_langgraph() -> None:
    code = "import sys, runyard.runtime.runtime; print(*{'langgraph', 'sqlite_vec'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "\n"


async def test_items_live_as_long_as_the_project_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        ttl = StoreTtl(minutes=1.0, refresh_on_read=False)
        store = FencedStore(storage.store, asyncio.get_running_loop(), ttl)
        await store.aput(PLACE, "default", {})
        await store.aput(PLACE, "long", {}, ttl=5)
        await store.aput(PLACE, "endless", {}, ttl=None)
        now = time.time_ns
        monkeypatch.setattr("time.time_ns", lambda: now() + 40 * 10**9)
        assert await store.aget(PLACE, "default") is not None
        monkeypatch.setattr("time.time_ns", lambda: now() + 80 * 10**9)
        assert [item.key for item in await store.asearch(PLACE)] == ["endless", "long"]


async def test_it_is_as_langgraph_has_it(tmp_path: Path) -> None:
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        store = FencedStore(storage.store, asyncio.get_running_loop())
        await store.aput(("users", "17"), "food", {"stars": 4})
        item = await store.aget(("users", "17"), "food")
        assert item is not None
        assert (item.namespace, item.key, item.value) == (("users", "17"), "food", {"stars": 4})
        assert item.created_at.tzinfo is not None
        (found,) = await store.asearch(("users",), filter={"stars": {"$gt": 3}}, query="what is eaten")
        assert (found.key, found.score, found.updated_at) == ("food", None, item.updated_at)
        assert await store.alist_namespaces(prefix=("users", "*"), suffix=("17",), max_depth=1) == [("users",)]
        with pytest.raises(ValueError, match="is not known"):
            await store.asearch(("users",), filter={"stars": {"$almost": 3}})
        for namespace in ((), ("",), ("a.b",), ("langgraph",)):
            with pytest.raises(ValueError, match="amespace"):
                await store.aput(namespace, "k", {})
        with pytest.raises(ValueError, match=r"a\.b"):
            await store.abatch([PutOp(("a.b",), "k", {})])


async def test_a_lease_that_is_lost_while_vectors_are_made_is_looked_at_afterwards(tmp_path: Path) -> None:
    lost = False

    async def check() -> None:
        if lost:
            raise LeaseLost("it is another worker's")

    def losing(texts: Sequence[str]) -> list[list[float]]:
        nonlocal lost
        lost = True
        return [[1.0] for _ in texts]

    config = StoreIndex(embed="losing", dims=1)
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        index = Index(config, Embedder(config, ensure_embeddings(losing)))
        store = FencedStore(storage.store, asyncio.get_running_loop(), None, index)
        check_before_writing(check)
        with pytest.raises(LeaseLost):
            await store.aput(PLACE, "a", {"n": 1})
        assert await store.aget(PLACE, "a") is None
