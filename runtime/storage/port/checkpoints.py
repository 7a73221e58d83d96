"""Rows of the LangGraph saver."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runyard.runtime.storage.port.queue import Lease


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One checkpoint as the saver packed it. `blobs` are the channel values that are new with it:
    (channel, version, type, data)."""

    thread_id: str
    ns: str
    checkpoint_id: str
    parent_id: str | None
    run_id: str | None
    type: str
    data: bytes
    metadata: bytes
    blobs: list[tuple[str, str, str, bytes]]


@dataclass(frozen=True, slots=True)
class WriteRow:
    """One pending write of a task: `idx` is negative for the special channels, which are replaced."""

    thread_id: str
    ns: str
    checkpoint_id: str
    run_id: str | None
    task_id: str
    idx: int
    channel: str
    type: str
    data: bytes
    task_path: str


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """One checkpoint as read: `writes` are (task id, channel, type, data) in order."""

    thread_id: str
    ns: str
    checkpoint_id: str
    parent_id: str | None
    type: str
    data: bytes
    metadata: bytes
    writes: list[tuple[str, str, str, bytes]]


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint that survives when the rest of a history is dropped: `versions` are those of its channels."""

    ns: str
    checkpoint_id: str
    versions: dict[str, str]


class CheckpointStorage(Protocol):
    """Rows of the LangGraph saver. Writes with a lease are fenced by it; they keep the order in which they
    were posted, also with regard to `finish` of the same process."""

    def post(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> None: ...

    async def flush(self, lease: Lease | None) -> None:
        """Returns when all that was posted is durable. Raises LeaseLost when some of it was refused."""

    def flush_blocking(self, lease: Lease | None) -> None: ...

    def latest(self, thread_id: str, ns: str) -> StoredCheckpoint | None: ...

    def get(self, thread_id: str, ns: str, checkpoint_id: str) -> StoredCheckpoint | None: ...

    def history(
        self, thread_id: str | None, ns: str | None, *, before: str | None, limit: int | None
    ) -> list[StoredCheckpoint]: ...

    def namespaces(self, thread_id: str) -> list[str]:
        """The namespaces in which a thread has checkpoints: "" and those of subgraphs."""

    def blobs(self, thread_id: str, ns: str, versions: dict[str, str]) -> dict[str, tuple[str, bytes]]: ...

    async def delete_thread(self, thread_id: str) -> None: ...

    async def delete_runs(self, run_ids: Sequence[str]) -> None: ...

    async def copy_thread(self, source: str, target: str) -> None: ...

    async def prune(self, thread_id: str, keep: Sequence[tuple[str, str, dict[str, str]]]) -> None:
        """Deletes all of a thread but the checkpoints named: (namespace, checkpoint id, channel versions)."""
