"""The checkpoints of a run whose events are stored come behind the events that led to them.

After a crash a run goes on from its last checkpoint, and LangGraph does not stream again what came before it: an event
that was not stored by then would be missing for good. So behind events that never will be stored, nothing is.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from runyard.runtime.errors import LeaseLost, Unavailable
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import CheckpointWriter, Handover
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.streams.publisher import Publisher

TURNS = 5
"""Turns of the loop in which an event comes from where LangGraph emits it to the publisher; `astream_events`, which has
the longest way, takes three. With the durability `sync` LangGraph emits the events of a step only when its checkpoint
is written: a crash between the two leaves them out."""


class BehindEvents:
    """A writer of checkpoints that writes what it is given as soon as the events of the run until then are stored.

    Made on the loop that the run's events come from; `append` may be called in any thread.
    """

    def __init__(self, writer: CheckpointWriter, publisher: Publisher) -> None:
        self._writer = writer
        self._publisher = publisher
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def append(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> Handover:
        """As `CheckpointWriter.append`."""
        append = _LaterAppend(partial(self._append, lease, rows), self._thread)
        try:
            self._loop.call_soon_threadsafe(self._turn, TURNS, append)
        except RuntimeError as error:
            raise Unavailable("the worker has ended") from error
        return append

    def _append(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> Handover:
        failure = self._publisher.failure
        if failure is not None and not isinstance(failure, LeaseLost):  # which storage finds out for itself
            raise failure
        return self._writer.append(lease, rows)

    def _turn(self, left: int, append: "_LaterAppend") -> None:
        if left:
            self._loop.call_soon(self._turn, left - 1, append)
        else:
            self._publisher.when_stored(append.begin)


class _LaterAppend(Handover):
    """An append that begins later. `thread`: who blocks this one keeps events from being stored, and waits for none."""

    def __init__(self, begin: Callable[[], Handover], thread: int) -> None:
        super().__init__()
        self._begin: Callable[[], Handover] | None = begin
        self._thread = thread
        self._lock = threading.RLock()  # what has begun may be over at once
        self._begun: Handover | None = None
        self._hasty = False

    def begin(self) -> None:
        """Hands the rows over, unless that was done, or they were taken back."""
        with self._lock:
            begin, self._begin = self._begin, None
            if begin is None or self.done():
                return
            try:
                self._begun = begun = begin()
            except Exception as error:  # noqa: BLE001 - for whoever waits
                self.set_exception(error)
                return
        if self._hasty:
            begun.hasten()
        begun.add_done_callback(self._end)

    def _end(self, begun: Future[None]) -> None:
        self._begun = None  # they would keep each other in memory
        if begun.cancelled():
            super().cancel()
        elif (error := begun.exception()) is not None:
            self.set_exception(error)
        else:
            self.set_result(None)

    def cancel(self) -> bool:
        with self._lock:
            begun = self._begun
            return super().cancel() if begun is None else begun.cancel()

    def hasten(self) -> None:
        self._hasty = True
        if (begun := self._begun) is not None:
            begun.hasten()

    def wait(self) -> None:
        if threading.get_ident() == self._thread:
            self.begin()
        super().wait()
