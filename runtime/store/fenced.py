"""The store, for nodes: it takes nothing from a run that is no longer its worker's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar

from langgraph.store.base import BaseStore, Op, PutOp, Result

from runyard.runtime.storage.port.store import StoreStorage

_check: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("runyard_store_check", default=None)


def check_before_writing(check: Callable[[], Awaitable[None]]) -> None:
    """From here on, what this task writes to the store, and the tasks and pool threads that it starts, is written
    only if `check` raises nothing."""
    _check.set(check)


class FencedStore(BaseStore):
    """The storage's items as LangGraph's store, with a look at the run's lease before each write. A lease that is lost
    between the look and the write goes unnoticed; those are microseconds.

    Used from one event loop, and from threads that are not its own.
    """

    supports_ttl = True

    def __init__(self, items: StoreStorage, loop: asyncio.AbstractEventLoop) -> None:
        self._items = items
        self._loop = loop

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        ops = list(ops)
        if (check := _check.get()) is not None and any(isinstance(op, PutOp) for op in ops):
            await check()
        return await self._items.batch(ops)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Raises InvalidStateError in the event loop's own thread, which would wait for itself."""
        try:
            own = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            own = False
        if own:
            raise asyncio.InvalidStateError(
                "Synchronous calls to the store are only allowed from another thread than that of the event loop; "
                "in an async node use the methods that begin with `a`, such as `await store.aput(...)`"
            )
        # The context of the caller, with the check that holds for it, goes with it.
        return asyncio.run_coroutine_threadsafe(self.abatch(ops), self._loop).result()
