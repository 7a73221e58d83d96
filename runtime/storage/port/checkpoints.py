"""Rows of the LangGraph saver: to read, to write under a lease, and to look after."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.queue import Lease

T = TypeVar("T")


class StoredBlob(NamedTuple):
    """A channel value as read: the pair that LangGraph's serializers load."""

    type: str
    data: bytes


class StoredWrite(NamedTuple):
    """A pending write as read."""

    task_id: str
    channel: str
    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """One checkpoint as read, with its pending writes in the order in which LangGraph applies them (by task path,
    task and `idx`), and the channel values that it refers to, where they were asked for."""

    thread_id: str
    ns: str
    checkpoint_id: str
    parent_id: str | None
    type: str
    data: bytes
    metadata: bytes
    writes: list[StoredWrite]
    blobs: dict[str, StoredBlob] = field(default_factory=dict)


References = Callable[[str, bytes], Mapping[str, str]]
"""Says of a packed checkpoint, given its type and data, which channel values it refers to: channel -> version. Storage
calls it within a read, where it finds the checkpoint."""


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint that survives when the rest of a history is dropped: `versions` are those of its channels."""

    ns: str
    checkpoint_id: str
    versions: Mapping[str, str]


class Handover(Future[None]):
    """The writing of rows that were handed over. Its exception is LeaseLost or Unavailable.

    A future of worker threads, since a graph may block its event loop while it waits for its checkpoints. `await`
    waits on the running loop, whichever that is; being cancelled there does not cancel the writing. Storage may put off
    what nobody waits for, by some milliseconds: `hasten` is called by whoever does.
    """

    def hasten(self) -> None:
        """Has it written at once. Here: it is under way anyway."""

    def wait(self) -> None:
        """Blocks the thread until it is durable. Raises as `await` does."""
        self.hasten()
        self.result()

    def __await__(self) -> Generator[Any, None, None]:
        if not self.done():
            self.hasten()
            loop = asyncio.get_running_loop()
            waiter = loop.create_future()

            def wake() -> None:
                if not waiter.done():
                    waiter.set_result(None)

            def written(_: Future[None]) -> None:
                with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                    loop.call_soon_threadsafe(wake)

            self.add_done_callback(written)
            yield from waiter
        self.result()


class CheckpointReader(Protocol):
    """Reads checkpoints, each with its pending writes and the channel values that `references` names."""

    async def latest(self, thread_id: str, ns: str, references: References | None = None) -> StoredCheckpoint | None:
        """The newest checkpoint of a namespace; None when there is none."""

    async def get(
        self, thread_id: str, ns: str, checkpoint_id: str, references: References | None = None
    ) -> StoredCheckpoint | None:
        """One checkpoint; None when it is not there."""

    async def history(
        self,
        thread_id: str | None,
        ns: str | None,
        *,
        before: str | None,
        limit: int | None,
        references: References | None = None,
    ) -> list[StoredCheckpoint]:
        """Checkpoints, newest first: of one thread and namespace or (None) of all, only those with an id lower than
        `before`, at most `limit`."""

    async def namespaces(self, thread_id: str) -> list[str]:
        """The namespaces in which a thread has checkpoints: "" and those of subgraphs."""

    async def blobs(self, thread_id: str, ns: str, versions: Mapping[str, str]) -> dict[str, StoredBlob]:
        """The values of channels at the versions given, for a checkpoint that is not stored yet; a channel without
        such a value is left out."""

    def wait_for(self, reading: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns or raises that awaits nothing but reads of this reader. Blocks the thread, which may
        be that of an event loop: LangGraph reads so where a graph is called by a sync node."""


class CheckpointWriter(Protocol):
    """Writes checkpoints for a lease, fenced by it; without one, for a service."""

    def append(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> Handover:
        """Hands rows over to be written, all of them or none, and returns at once. Whoever needs one append to come
        behind another waits for that; with one that has not begun, cancelling it takes the rows back. Raises
        Unavailable when storage is closed."""


class CheckpointAdmin(Protocol):
    """Looks after the checkpoints of whole threads and runs."""

    async def delete_thread(self, thread_id: str) -> None:
        """Deletes all of a thread; nothing when there is nothing."""

    async def delete_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes what runs have written, on all threads."""

    async def copy_thread(self, source: str, target: str) -> None:
        """Copies all of a thread to another one, which must have no checkpoints."""

    async def prune(self, thread_id: str, keep: Sequence[KeptCheckpoint]) -> None:
        """Deletes all of a thread but those checkpoints, with their pending writes and values."""


class SaverStorage(CheckpointReader, CheckpointWriter, Protocol):
    """What a saver needs."""


class CheckpointStorage(SaverStorage, CheckpointAdmin, Protocol):
    """All that can be done with checkpoints."""
