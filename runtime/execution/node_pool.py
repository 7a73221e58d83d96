"""The pool threads of sync nodes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_here = threading.local()


class NodePool(ThreadPoolExecutor):
    """asyncio's own pool has a handful of threads, and nodes that wait would queue up there."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, "node", initializer=self._enter)
        self._lending = threading.Lock()

    def _enter(self) -> None:
        _here.pool = self

    def lend(self) -> None:
        """One of the threads waits, so there may be one more."""
        with self._lending:
            self._max_workers += 1
        # Threads are started when something is submitted; this one gets what was there before.
        with contextlib.suppress(RuntimeError):  # the pool is closed
            self.submit(_nothing)

    def take_back(self) -> None:
        """Ends one `lend`. The thread stays, and others that end are not replaced."""
        with self._lending:
            self._max_workers -= 1


def lend_pool_thread() -> Callable[[], None]:
    """Where a node waits in a pool thread for another run, whose nodes may need one too: gives the function that ends
    the wait."""
    pool: NodePool | None = getattr(_here, "pool", None)
    if pool is None:
        return _nothing
    pool.lend()
    return pool.take_back


def _nothing() -> None:
    return
