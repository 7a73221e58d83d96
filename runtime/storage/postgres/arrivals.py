"""Tells event loops of results that pool threads have: one call into a loop for all of a moment, not one a result."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Arrivals:
    """Safe to use from several threads and loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrived: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}

    async def wait(self, future: Future[T]) -> T:
        """The result of the future, which is cancelled with who waits for it. Raises what it raises."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        future.add_done_callback(lambda _: self._arrive(loop, waiter))
        try:
            await waiter
        except asyncio.CancelledError:
            future.cancel()
            raise
        return future.result()

    def _arrive(self, loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None]) -> None:
        with self._lock:
            first = loop not in self._arrived
            self._arrived.setdefault(loop, []).append(waiter)
        if first:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(self._wake, loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            arrived = self._arrived.pop(loop)
        for waiter in arrived:
            if not waiter.done():
                waiter.set_result(None)
