"""Rows of the LangGraph saver."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.queue import Lease


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
    """One checkpoint as read, with its pending writes in the order in which LangGraph applies them: by task path,
    task and `idx`."""

    thread_id: str
    ns: str
    checkpoint_id: str
    parent_id: str | None
    type: str
    data: bytes
    metadata: bytes
    writes: list[StoredWrite]


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint that survives when the rest of a history is dropped: `versions` are those of its channels."""

    ns: str
    checkpoint_id: str
    versions: dict[str, str]


class CheckpointStorage(Protocol):
    """Rows of the LangGraph saver. Writes with a lease are fenced by it; they keep the order in which they
    were posted, also with regard to `finish` of the same process. Writes without one are those of a service."""

    def post(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> None:
        """Hands rows over to be written, and returns at once. `flush` reports what became of them.
        Raises Unavailable when storage is closed."""

    async def flush(self, lease: Lease | None) -> None:
        """Returns when all that was posted is durable. Raises LeaseLost when some of it was refused, Unavailable
        when some of it could not be written."""

    def flush_blocking(self, lease: Lease | None) -> None:
        """As `flush`, for a caller that may block its thread."""

    def latest(self, thread_id: str, ns: str) -> StoredCheckpoint | None:
        """The newest checkpoint of a namespace; None when there is none."""

    def get(self, thread_id: str, ns: str, checkpoint_id: str) -> StoredCheckpoint | None:
        """One checkpoint; None when it is not there."""

    def history(
        self, thread_id: str | None, ns: str | None, *, before: str | None, limit: int | None
    ) -> list[StoredCheckpoint]:
        """Checkpoints, newest first: of one thread and namespace or (None) of all, only those with an id lower than
        `before`, at most `limit`."""

    def namespaces(self, thread_id: str) -> list[str]:
        """The namespaces in which a thread has checkpoints: "" and those of subgraphs."""

    def blobs(self, thread_id: str, ns: str, versions: dict[str, str]) -> dict[str, StoredBlob]:
        """The values of channels at the versions given; a channel without such a value is left out."""

    async def delete_thread(self, thread_id: str) -> None:
        """Deletes all of a thread; nothing when there is nothing."""

    async def delete_runs(self, run_ids: Sequence[str]) -> None:
        """Deletes what runs have written, on all threads."""

    async def copy_thread(self, source: str, target: str) -> None:
        """Copies all of a thread to another one, which must have no checkpoints."""

    async def prune(self, thread_id: str, keep: Sequence[KeptCheckpoint]) -> None:
        """Deletes all of a thread but those checkpoints, with their pending writes and values."""
