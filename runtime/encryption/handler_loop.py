"""The event loop that a process has for the handlers of `encryption`.

One for all of them, whatever runs elsewhere in the process: a handler may keep a connection that belongs to its loop,
may block without holding up the API or a run, and is there for graphs that block their own loop while they read or
write checkpoints.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import uvloop

from runyard.runtime.errors import Unavailable

T = TypeVar("T")
S = TypeVar("S")

AT_ONCE: Final = 16
"""Values of one request that are encrypted at once, where the handlers wait for others."""
_TURN: Final = 64
"""Values after which others get their turn on the loop."""


class HandlerLoop:
    """An event loop in a thread of its own, from `start` to `stop`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Once."""
        self._loop = loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(loop,), name="encryption", daemon=True)
        self._thread.start()

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def stop(self) -> None:
        """What has not ended by then never does: storage is closed, and nobody waits."""
        loop, self._loop = self._loop, None
        if loop is not None and self._thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine comes to, from any event loop. Raises what it raises, or Unavailable when it was stopped."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(self.begin(work))

    def run_blocking(self, work: Coroutine[Any, Any, T]) -> T:
        """As `run`, for a thread that may wait, whatever loop it has; not that of this one."""
        return self.begin(work).result()

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Has it run, and returns at once."""
        if self._loop is None:
            work.close()
            raise _stopped()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, callback: Callable[[], object], *, later: float = 0.0) -> None:
        """Calls back on the loop, in so many seconds. Raises Unavailable when it was stopped."""
        if (loop := self._loop) is None:
            raise _stopped()
        if later:
            loop.call_soon_threadsafe(loop.call_later, later, callback)
        else:
            loop.call_soon_threadsafe(callback)


def _stopped() -> Unavailable:
    return Unavailable("storage is being closed; try again when the server is back")


async def each(work: Callable[[S], Awaitable[T]], items: Iterable[S]) -> list[T]:
    """What becomes of each item, in order; several are under way at once as soon as one waits for somebody else. Raises
    what the first one raises that fails."""
    pending = list(enumerate(items))
    if len(pending) == 1:
        return [await work(pending[0][1])]
    results: dict[int, T] = {}
    pending.reverse()

    async def take() -> None:
        taken = 0
        while pending:
            index, item = pending.pop()
            results[index] = await work(item)
            taken += 1
            if taken % _TURN == 0:
                await asyncio.sleep(0)

    tasks = [asyncio.ensure_future(take()) for _ in range(min(AT_ONCE, len(pending)))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        pending.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[index] for index in range(len(results))]
