"""The long-term store on SQLite: LangGraph's own, in a file beside the database, used by one thread of the process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.sqlite.write_results import WriteResult, deliver_results

if TYPE_CHECKING:
    from langgraph.store.base import Op, Result
    from langgraph.store.sqlite import SqliteStore

LARGEST_GROUP = 500
"""Batches in one transaction, at the most."""


class _Asked(NamedTuple):
    ops: Sequence[Op]
    answer: asyncio.Future[list[Result]]


class SqliteStoreItems:
    """A pool of one thread has the connection, so that any event loop may ask. What many ask at once is one
    transaction."""

    def __init__(self, path: Path, *, sync: Literal["normal", "full"]) -> None:
        self._path = path
        self._sync = sync
        self._store: SqliteStore | None = None
        self._thread = ThreadPoolExecutor(1, "store")
        self._asked: deque[_Asked] = deque()
        self._called = False
        self._closed = False

    async def ready(self) -> None:
        import runyard.runtime.storage.sqlite.store_library  # noqa: F401 - here, since it hides a library meanwhile

        await asyncio.get_running_loop().run_in_executor(self._thread, self._opened)

    async def batch(self, ops: Sequence[Op]) -> list[Result]:
        if self._closed:
            raise Unavailable("the store is being closed; try again when the server is back")
        answer: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(ops, answer))
        if not self._called:
            self._called = True
            self._thread.submit(self._answer)
        return await answer

    def close(self) -> None:
        """Returns when what was asked for is done."""
        self._closed = True
        self._thread.shutdown()
        if self._store is not None:
            self._store.conn.close()

    def _opened(self) -> SqliteStore:
        if self._store is None:
            from runyard.runtime.storage.sqlite.store_library import open_store

            self._store = open_store(self._path, self._sync)
        return self._store

    def _answer(self) -> None:
        self._called = False  # before the look: what comes during it calls again
        while self._asked:
            group = [self._asked.popleft() for _ in range(min(len(self._asked), LARGEST_GROUP))]
            deliver_results(self._together(group) or [self._alone(asked) for asked in group])

    def _together(self, group: Sequence[_Asked]) -> list[WriteResult] | None:
        """None: something of it cannot be done. What was done is done again then, which changes nothing."""
        try:
            results = self._opened().batch([op for asked in group for op in asked.ops])
        except Exception:  # noqa: BLE001 - each is told its own
            return None
        answers, begin = [], 0
        for ops, answer in group:
            answers.append(WriteResult(answer, results[begin : begin + len(ops)], None))
            begin += len(ops)
        return answers

    def _alone(self, asked: _Asked) -> WriteResult:
        try:
            return WriteResult(asked.answer, self._opened().batch(asked.ops), None)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            return WriteResult(asked.answer, None, error)
