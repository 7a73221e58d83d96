"""The store, for nodes: it takes nothing from a run that is no longer its worker's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Literal

from langgraph.store.base import NOT_PROVIDED, NotProvided, Op, PutOp, Result

from runyard.runtime.storage.sqlite.without import without

with without("numpy"):  # for vectors, of which this store has none
    there = "sqlite_vec" in sys.modules
    from langgraph.store.sqlite.aio import AsyncSqliteStore

    if not there:
        del sys.modules["sqlite_vec"]  # a project that imports it itself gets all of it

_check: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("runyard_store_check", default=None)


def check_before_writing(check: Callable[[], Awaitable[None]]) -> None:
    """From here on, what this task writes to the store, and the tasks and pool threads that it starts, is written
    only if `check` raises nothing."""
    _check.set(check)


class FencedStore(AsyncSqliteStore):
    """LangGraph's store, with a look at the run's lease before each write. They lie in two files, so a lease that is
    lost between the look and the write goes unnoticed; those are microseconds."""

    async def aput(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> None:
        await _allow_write()
        await super().aput(namespace, key, value, index, ttl=ttl)

    async def adelete(self, namespace: tuple[str, ...], key: str) -> None:
        await _allow_write()
        await super().adelete(namespace, key)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        ops = list(ops)
        # The store's own task hands on what it was told by others, for which the methods above have looked.
        if asyncio.current_task() is not self._task and any(isinstance(op, PutOp) for op in ops):
            await _allow_write()
        return await super().abatch(ops)


async def _allow_write() -> None:
    if (check := _check.get()) is not None:
        await check()
