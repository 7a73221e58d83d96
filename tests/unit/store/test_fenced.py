"""What a run writes to the store is refused once its lease is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.base import BaseStore, PutOp

from runyard.runtime.errors import LeaseLost
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

    async with FencedStore.from_conn_string(str(tmp_path / "store.db")) as store:
        await store.setup()
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
