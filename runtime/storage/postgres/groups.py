"""Writes of one kind that many ask for at once: what has gathered while others were being committed goes into one
transaction.

Nothing waits for more to come. A request that is refused fails alone, and so does one whose transaction fails: the
others are made again without it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from runyard.runtime.errors import RunyardError, Unavailable
from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.postgres.database import Database

R = TypeVar("R")
T = TypeVar("T")

LARGEST = 100
"""Requests in one transaction, at the most."""
AT_ONCE = 2
"""Transactions of one kind that a process makes at the same time."""


class Groups(Generic[R, T]):
    """`perform` makes requests within a transaction, and returns for each its result or the error that it is refused
    with; `locks` says which locks one needs."""

    def __init__(
        self,
        database: Database,
        perform: Callable[[Connection, Sequence[R]], Sequence[T | RunyardError]],
        locks: Callable[[R], Iterable[str]],
    ) -> None:
        self._database = database
        self._perform = perform
        self._locks = locks
        self._lock = threading.Lock()
        self._waiting: deque[tuple[R, Future[T]]] = deque()
        self._under_way = 0

    async def add(self, request: R) -> T:
        """Its result, once it is committed. Raises what it is refused with, and Unavailable."""
        future: Future[T] = Future()
        self.submit(request, future)
        return await asyncio.wrap_future(future)

    def submit(self, request: R, future: Future[T]) -> None:
        """As `add`, for callers of whichever kind, who get the result by the future. Cancelled before its transaction
        begins, it is not made at all."""
        with self._lock:
            self._waiting.append((request, future))
            if self._under_way == AT_ONCE:
                return
            self._under_way += 1
        self._begin()

    def _begin(self) -> None:
        try:
            self._database.run(self._go_on)
        except Unavailable as error:
            with self._lock:
                self._under_way -= 1
                left = list(self._waiting)
                self._waiting.clear()
            for _, future in left:
                future.set_exception(error)

    def _go_on(self) -> None:
        """Makes groups until nothing waits, in a pool thread."""
        while group := self._next():
            try:
                self._make(group)
            except BaseException as error:  # noqa: BLE001 - it is told to whoever asked
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)

    def _next(self) -> list[tuple[R, Future[T]]]:
        group: list[tuple[R, Future[T]]] = []
        with self._lock:
            while self._waiting and len(group) < LARGEST:
                request, future = self._waiting.popleft()
                if future.set_running_or_notify_cancel():
                    group.append((request, future))
            if not group:
                self._under_way -= 1
        return group

    def _make(self, group: Sequence[tuple[R, Future[T]]]) -> None:
        requests = [request for request, _ in group]
        locks = [lock for request in requests for lock in self._locks(request)]
        try:
            results = self._database.write_here(lambda connection: self._perform(connection, requests), locks)
        except Exception as error:  # whatever it is, it may be the fault of one of them
            if len(group) == 1 or isinstance(error, Unavailable):
                raise
            for one in group:
                try:
                    self._make([one])
                except Exception as own:  # noqa: BLE001 - it is told to whoever asked
                    one[1].set_exception(own)
            return
        for (_, future), result in zip(group, results, strict=True):
            if isinstance(result, RunyardError):
                future.set_exception(result)
            else:
                future.set_result(result)
