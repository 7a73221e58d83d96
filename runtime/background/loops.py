"""Loops that go round until they are stopped, whatever a round raises: on an event loop, or in a thread of the process.

Everything that has to happen again and again is such a loop: an error that ends one would leave the server without
what it does, for good and unseen.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable

from runyard.runtime.background.rounds import LONGEST_PAUSE, Loops


class BackgroundLoop:
    """Calls `step` again and again. It answers the seconds until the next round, or None to end the loop."""

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[float | None]],
        loops: Loops,
        *,
        may_wait: bool = False,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        """`may_wait`: a round waits for what may never happen, and is never late. `longest_pause`: in seconds, after
        rounds that failed."""
        self._name = name
        self._step = step
        self._loops = loops
        self._may_wait = may_wait
        self._longest_pause = longest_pause
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins at once."""
        self._task = asyncio.create_task(self.run(), name=self._name)

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._task is not None and not self._task.done()

    def wake(self) -> None:
        """Ends a pause: the next round begins now, or when the present one is over."""
        self._woken.set()

    async def stop(self) -> None:
        """Ends the loop, also within a round."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run(self) -> None:
        """Goes round until the step says that it is over, or the task is cancelled."""
        rounds = self._loops.add(self._name, longest_pause=self._longest_pause)
        try:
            while True:
                # Cleared before the round: a wake-up during it is kept.
                self._woken.clear()
                if self._may_wait:
                    rounds.wait()
                else:
                    rounds.begin()
                try:
                    pause = await self._step()
                except Exception as error:  # noqa: BLE001 - the purpose of a loop: no error ends it
                    pause = rounds.failed(error)
                else:
                    if pause is None:
                        break
                    rounds.rest(pause)
                if pause > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._woken.wait()
        except asyncio.CancelledError:
            self._loops.remove(rounds)
            raise
        except BaseException:
            rounds.end()
            raise
        self._loops.remove(rounds)


class BackgroundThread:
    """As `BackgroundLoop`, in a thread of the process. The step may block; `stopping` ends its pauses."""

    def __init__(
        self, name: str, step: Callable[[], float | None], loops: Loops, *, longest_pause: float = LONGEST_PAUSE
    ) -> None:
        """`longest_pause`: in seconds, after rounds that failed."""
        self.rounds = loops.add(name, longest_pause=longest_pause)
        self._step = step
        self._loops = loops
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """The first round begins at once."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when the round that is under way is over; no other follows."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._loops.remove(self.rounds)

    def join(self) -> None:
        """Waits until the step has said that it is over."""
        if self._thread.is_alive():
            self._thread.join()
        self._loops.remove(self.rounds)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.rounds.begin()
                try:
                    pause = self._step()
                except Exception as error:  # noqa: BLE001 - as above
                    self._stopping.wait(self.rounds.failed(error))
                    continue
                if pause is None:
                    break
                self.rounds.rest(pause)
                if pause > 0:
                    self._stopping.wait(pause)
        except BaseException:
            self.rounds.end()
            raise
