"""What a run writes to the store is refused once its lease is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import BaseStore, PutOp

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.store.fenced import FencedStore, check_before_writing

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
