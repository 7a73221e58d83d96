"""The rows that a saver holds until they are durable."""

import concurrent.futures
import threading
from collections.abc import Sequence

from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import CheckpointWriter, Handover
from runyard.runtime.storage.port.queue import Lease

MOST_HELD = 8_000_000
"""Bytes of rows that are held; with more, a run waits for its storage."""

Row = CheckpointRow | WriteRow


class UnwrittenRows:
    """Writes rows in order: one append is under way at a time, and what is added meanwhile makes the next.

    Safe to use from several threads: LangGraph saves from worker threads where a graph is called by a sync node. The
    first append that fails is the last, and its error is raised by whatever waits from then on.
    """

    def __init__(self, writer: CheckpointWriter, lease: Lease | None) -> None:
        self._writer = writer
        self._lease = lease
        self._lock = threading.RLock()  # an append may be over before it is known to be under way
        self._gathered: list[Row] = []
        self._appending: list[Row] = []
        self._append: Handover | None = None
        self._held = self._gathered_size = 0
        self._failure: BaseException | None = None
        self._closed = False
        self.used = False
        """Whether rows were ever added."""

    @property
    def too_many(self) -> bool:
        """Whether so much is held that whoever adds should wait."""
        return self._held > MOST_HELD

    def add(self, rows: Sequence[Row]) -> None:
        """Takes rows to be written. Those of a run that is over, or has failed to write, are dropped."""
        with self._lock:
            if self._closed or self._failure is not None:
                return
            self.used = True
            size = sum(map(_size, rows))
            self._gathered += rows
            self._gathered_size += size
            self._held += size
            if self._append is None:
                self._begin()

    def _begin(self) -> None:
        self._appending, self._gathered = self._gathered, []
        self._held, self._gathered_size = self._gathered_size, 0
        try:
            self._append = append = self._writer.append(self._lease, self._appending)
        except Unavailable as error:
            self._fail(error)
        else:
            append.add_done_callback(self._written)

    def _written(self, append: concurrent.futures.Future[None]) -> None:
        with self._lock:
            if append is not self._append or not append.done():
                return
            self._append, self._appending = None, []
            if (error := append.exception()) is not None:
                self._fail(error)
            elif self._gathered:
                self._begin()
            else:
                self._held = 0

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._gathered, self._appending, self._held = [], [], 0

    def take(self) -> Sequence[Row]:
        """All that is not known to be durable, for the transaction that ends the run; what is added from now on is
        dropped. Some of it may be on its way, and be written twice. Raises what an append has raised."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            append, self._append = self._append, None
            rows = [*self._appending, *self._gathered]
            self._gathered, self._appending, self._held = [], [], 0
            self._closed = True
        if append is not None:
            append.cancel()
        return rows

    async def settle(self) -> None:
        """Returns when all that was added is durable. Raises LeaseLost, Unavailable."""
        while (append := self._under_way()) is not None:
            try:
                await append
            except concurrent.futures.CancelledError:
                continue  # taken
            finally:
                self._written(append)

    def settle_blocking(self) -> None:
        """As `settle`, for a caller that may block its thread."""
        while (append := self._under_way()) is not None:
            try:
                append.wait()
            except concurrent.futures.CancelledError:
                continue
            finally:
                self._written(append)

    def _under_way(self) -> Handover | None:
        with self._lock:
            if self._failure is not None:
                raise self._failure
            return self._append


def _size(row: Row) -> int:
    if isinstance(row, WriteRow):
        return len(row.data)
    return len(row.data) + sum(len(blob.data) for blob in row.blobs)
