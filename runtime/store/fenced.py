"""The store, for nodes: it takes nothing from a run that is no longer its worker's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from langgraph.store.base import BaseStore, Op, PutOp, Result

from runyard.runtime.config.project import StoreTtl
from runyard.runtime.errors import Invalid
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.store import StoreOperation, StoreStorage
from runyard.runtime.store.index import Index
from runyard.runtime.store.operations import result, stored_operation

_check: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("runyard_store_check", default=None)
_scope: ContextVar[Scope | None] = ContextVar("runyard_store_scope", default=None)


def check_before_writing(check: Callable[[], Awaitable[None]], encryption: Mapping[str, Any] | None = None) -> None:
    """From here on, what this task writes to the store, and the tasks and pool threads that it starts, is written
    only if `check` raises nothing. `encryption`: the context in which it is encrypted."""
    _check.set(check)
    if encryption is not None:
        _scope.set(Scope(encryption=encryption))


class FencedStore(BaseStore):
    """The storage's items as LangGraph's store, with a look at the run's lease before each write. A lease that is lost
    between the look and the write goes unnoticed; those are microseconds.

    Used from one event loop, and from threads that are not its own.
    """

    supports_ttl = True

    def __init__(
        self,
        items: StoreStorage,
        loop: asyncio.AbstractEventLoop,
        ttl: StoreTtl | None = None,
        index: Index | None = None,
    ) -> None:
        """`ttl`: how long items live that are put without a lifetime. `index`: what finds them by what they mean."""
        self._items = items
        self._loop = loop
        self._index = index
        ttl = ttl or StoreTtl()
        # BaseStore's own methods read it.
        self.ttl_config = {"default_ttl": ttl.minutes, "refresh_on_read": ttl.refresh_on_read}

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        ops = list(ops)
        operations = [stored_operation(op) for op in ops]
        try:
            if self._index is not None:
                operations = await self._index.complete(operations)
            return await self._batch(ops, operations)
        except Invalid as error:
            raise ValueError(error.detail) from error

    async def _batch(self, ops: Sequence[Op], operations: Sequence[StoreOperation]) -> list[Result]:
        if (check := _check.get()) is not None and any(isinstance(op, PutOp) for op in ops):
            await check()
        found = await self._items.batch(_scope.get() or Scope.everything(), operations)
        return [result(op, each) for op, each in zip(ops, found, strict=True)]

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
