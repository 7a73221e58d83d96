"""One process's access to Postgres: a bounded number of pool threads, and no more connections than those need at once.

What is asked of the database runs in those threads, with a plain, blocking connection; who asks awaits it, on
whichever event loop, or blocks. So storage belongs to no loop: the API's, those of workers and of threads that only
look use it alike, it is opened and closed without one, and LangGraph's blocking reads need no loop either. A loop that
is busy with a graph delays nobody's transaction, which holds locks while it waits.

No session state is relied on: settings are those of a transaction, and no statement is kept by name where a pooler in
transaction mode stands between (`schema` then costs reads a transaction of their own). What is made again, and what
nobody knows after a lost connection: see transactions.py.

`write` takes names whose locks are held from the beginning to the commit: the ids of the threads whose queue, state or
log is changed. Behind its locks a transaction sees all that was committed before, statement by statement (READ
COMMITTED), which is what a single writer would see.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import StorageUnavailable, Unanswered
from runyard.runtime.scope import Scope
from runyard.runtime.storage.patience import patience
from runyard.runtime.storage.port.storage import Meter
from runyard.runtime.storage.postgres.database.connection import LONGEST_STATEMENT, lock_of
from runyard.runtime.storage.postgres.database.connections import Connections
from runyard.runtime.storage.postgres.database.errors import unavailable
from runyard.runtime.storage.postgres.database.exchange import Parameters, Row
from runyard.runtime.storage.postgres.database.plain_fence import PlainFence
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.database.transactions import Pool, Transactions, Work

T = TypeVar("T")

CONNECTIONS: dict[Pool, int] = {"main": 8, "lease": 1, "probe": 1, "search": 2, "copy": 1}
"""Connections of a process at the most: for reads and writes that are quick, for saying who lives, for looking whether
the database answers, for searches and counts, for what is read to be copied. Made when they are first needed. How many
the main ones are is a setting."""
SPARE = 4
"""Main connections of which two can rest."""
LONGEST_LEASE = 3.0
"""Seconds for a statement that says who lives: the next is due."""
LONGEST_COPY = 30.0
LONGEST_WAIT = 5.0
"""Seconds for which what is asked waits for a connection."""
PATIENT_PAUSE = 0.2
"""Seconds between attempts of what is asked with `patience`."""

_blocking: contextvars.ContextVar[bool] = contextvars.ContextVar("blocking", default=False)


class Database:
    """`close` it at last; safe to use from several threads."""

    def __init__(
        self,
        target: Target,
        meter: Meter | None = None,
        *,
        connections: int = CONNECTIONS["main"],
        seconds: float = LONGEST_STATEMENT,
        loops: Loops | None = None,
    ) -> None:
        """`connections` for what is quick, and the `seconds` that one of its statements may take."""
        self.target = target
        times: dict[Pool, float] = {
            "main": seconds,
            "lease": min(seconds, LONGEST_LEASE),
            "probe": min(seconds, LONGEST_LEASE),
            "search": seconds,
            "copy": max(seconds, LONGEST_COPY),
        }
        self._connections = Connections(target, seconds, loops or Loops())
        self._closed = False
        self.plain_fence = PlainFence(target)
        self._transactions = Transactions(self._connections, self.plain_fence, times, meter)
        self._at_close: list[Callable[[], None]] = []
        self.has_spare_threads = connections >= SPARE
        """Whether one may rest in the main pool without keeping what else is asked for from being done."""
        sizes = {**CONNECTIONS, "main": connections}
        self._pools = {name: ThreadPoolExecutor(size, f"postgres-{name}") for name, size in sizes.items()}

    def close(self) -> None:
        """Returns when all that was asked for is done."""
        for task in self._at_close:
            task()
        self._closed = True
        for pool in self._pools.values():
            pool.shutdown()
        self._connections.close()

    def at_close(self, task: Callable[[], None]) -> None:
        """Has something done before nothing more is accepted."""
        self._at_close.append(task)

    def check_open(self) -> None:
        """Raises Unavailable when closed, or refused."""
        if self._closed:
            raise _closed()
        if self.plain_fence.refusal is not None:
            raise StorageUnavailable(self.plain_fence.refusal)

    async def write(self, work: Work[T], *, locks: Iterable[str] = (), pool: Pool = "main") -> T:
        """Runs `work` in a transaction, maybe more than once; returns its result once that is committed. `locks` are
        names, see above.

        Raises what `work` raises, and nothing is changed then; Unavailable when the database cannot be had, or is being
        closed.
        """
        numbers = [lock_of(name) for name in locks]
        return await self._ask(pool, lambda: self._transactions.transact(work, "", pool, numbers))

    async def write_one(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """As `write`, for a single statement: in one round trip. Its rows, if it returns some."""
        return await self._ask("main", lambda: self._transactions.transact_one(statement, parameters, repeatable=False))

    def write_blocking(self, work: Work[T], *, locks: Iterable[str] = (), pool: Pool = "main") -> T:
        """As `write`, for callers that may block their thread."""
        numbers = [lock_of(name) for name in locks]
        return self._submit(pool, lambda: self._transactions.transact(work, "", pool, numbers)).result()

    def run(self, task: Callable[[], None]) -> None:
        """Has a task run in a pool thread, where it may call `write_here`; it may have to wait long for one. Raises
        Unavailable when closed."""
        self._enqueue("main", task)

    def write_here(self, work: Work[T], locks: Iterable[str] = ()) -> T:
        """As `write`, in the pool thread that this is called in."""
        return self._transactions.transact(work, "", "main", [lock_of(name) for name in locks])

    def write_one_here(self, statement: str, parameters: Parameters, *, repeatable: bool = False) -> list[Row]:
        """As `write_one`, in the pool thread that this is called in. `repeatable`: made a second time, it changes
        nothing, so it is where nobody knows whether it was made."""
        return self._transactions.transact_one(statement, parameters, repeatable=repeatable)

    def submit_write(self, work: Work[T]) -> Future[T]:
        """As `write`, for callers of whichever kind: the future is one of threads."""
        return self._submit("main", lambda: self._transactions.transact(work, "", "main", ()))

    async def read(self, work: Work[T]) -> T:
        """Runs `work`, of quick statements for reading, each of which sees what is there when it begins."""
        return await self._ask("main", lambda: self._transactions.read(work))

    def read_blocking(self, work: Work[T]) -> T:
        """As `read`, for callers that may block their thread."""
        return self._submit("main", lambda: self._transactions.read(work)).result()

    async def snapshot(self, work: Work[T], pool: Pool = "main") -> T:
        """Runs `work`, of statements for reading, which all see one and the same state."""
        mode = "isolation level repeatable read, read only"
        return await self._ask(pool, lambda: self._transactions.transact(work, mode, pool, ()))

    async def read_aside(self, work: Work[T]) -> T:
        """As `read`."""
        return await self.read(work)

    async def read_in_scope(self, scope: Scope, work: Work[T]) -> T:
        """As `read`; where `work` looks at the scope too, it sees one state."""
        return await (self.snapshot(work) if scope.filter or scope.decided else self.read(work))

    async def lookup(self, work: Work[T]) -> T:
        """As `snapshot`."""
        return await self.snapshot(work)

    async def copying(self, work: Work[T]) -> T:
        """As `snapshot`, for what is read to be copied; `work` may write meanwhile."""
        return await self.snapshot(work, "copy")

    async def search(self, work: Work[T]) -> T:
        """As `snapshot`, for what may take long."""
        return await self.snapshot(work, "search")

    @contextmanager
    def blocking(self) -> Iterator[None]:
        """In the block, what is awaited of this database blocks the thread instead, so that a coroutine that awaits
        nothing else never suspends."""
        token = _blocking.set(True)
        try:
            yield
        finally:
            _blocking.reset(token)

    async def _ask(self, pool: Pool, task: Callable[[], T]) -> T:
        future = self._submit(pool, task)
        return future.result() if _blocking.get() else await asyncio.wrap_future(future)

    def _submit(self, pool: Pool, task: Callable[[], T]) -> Future[T]:
        asked = time.monotonic()
        until = asked + patience.get()

        def begin() -> T:
            if time.monotonic() > max(asked + LONGEST_WAIT, until):
                raise unavailable(f"no connection to the database was free for {LONGEST_WAIT:g} seconds")
            return self._patiently(task, until)

        return self._enqueue(pool, begin)

    def _enqueue(self, pool: Pool, task: Callable[[], T]) -> Future[T]:
        self.check_open()
        try:
            return self._pools[pool].submit(task)
        except RuntimeError:  # it was shut down this moment
            raise _closed() from None

    def _patiently(self, task: Callable[[], T], until: float) -> T:
        while True:
            try:
                return task()
            except StorageUnavailable as error:
                if isinstance(error, Unanswered) or self._closed or time.monotonic() > until:
                    raise
            time.sleep(PATIENT_PAUSE)


def _closed() -> StorageUnavailable:
    return StorageUnavailable("storage is closed")
