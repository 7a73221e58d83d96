"""An edit of a thread's state before it is written: LangGraph sees it, storage does not yet.

LangGraph makes an edit in several writes, and reads its own ones in between. They are gathered here, so that all
of them and the thread's row can be written in one guarded transaction, or not at all.
"""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import (
    CheckpointReader,
    Handover,
    References,
    StoredBlob,
    StoredCheckpoint,
    StoredWrite,
)
from runyard.runtime.storage.port.queue import Lease

T = TypeVar("T")


class StagedCheckpoints:
    """Storage for a saver: what is stored of threads, with the staged rows on top."""

    def __init__(self, storage: CheckpointReader) -> None:
        self._storage = storage
        self.rows: list[CheckpointRow | WriteRow] = []
        """What is to be written, in order."""

    def append(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> Handover:
        """Stages rows; no lease is needed, and nothing to be waited for, since nothing is written yet."""
        self.rows += rows
        staged = Handover()
        staged.set_result(None)
        return staged

    async def latest(self, thread_id: str, ns: str, references: References | None = None) -> StoredCheckpoint | None:
        found = await self.history(thread_id, ns, before=None, limit=1, references=references)
        return next(iter(found), None)

    async def get(
        self, thread_id: str, ns: str, checkpoint_id: str, references: References | None = None
    ) -> StoredCheckpoint | None:
        for row in self._checkpoints(thread_id, ns):
            if row.checkpoint_id == checkpoint_id:
                return self._with_writes(await self._staged(row, references))
        stored = await self._storage.get(thread_id, ns, checkpoint_id, references)
        return None if stored is None else self._with_writes(stored)

    async def history(
        self,
        thread_id: str | None,
        ns: str | None,
        *,
        before: str | None,
        limit: int | None,
        references: References | None = None,
    ) -> list[StoredCheckpoint]:
        found = [
            await self._staged(row, references)
            for row in self._checkpoints(thread_id, ns)
            if before is None or row.checkpoint_id < before
        ]
        found += await self._storage.history(thread_id, ns, before=before, limit=limit, references=references)
        found.sort(key=lambda stored: stored.checkpoint_id, reverse=True)
        return [self._with_writes(stored) for stored in found[:limit]]

    async def namespaces(self, thread_id: str) -> list[str]:
        own = {row.ns for row in self._checkpoints(thread_id, None)}
        return [*own.union(await self._storage.namespaces(thread_id))]

    async def blobs(self, thread_id: str, ns: str, versions: Mapping[str, str]) -> dict[str, StoredBlob]:
        found = await self._storage.blobs(thread_id, ns, versions)
        for row in self._checkpoints(thread_id, ns):
            for channel, version, kind, data in row.blobs:
                if versions.get(channel) == version:
                    found[channel] = StoredBlob(kind, data)
        return found

    def wait_for(self, reading: Coroutine[Any, Any, T]) -> T:
        return self._storage.wait_for(reading)

    def _checkpoints(self, thread_id: str | None, ns: str | None) -> list[CheckpointRow]:
        return [
            row
            for row in self.rows
            if isinstance(row, CheckpointRow) and thread_id in (None, row.thread_id) and ns in (None, row.ns)
        ]

    async def _staged(self, row: CheckpointRow, references: References | None) -> StoredCheckpoint:
        return StoredCheckpoint(
            row.thread_id,
            row.ns,
            row.checkpoint_id,
            row.parent_id,
            row.type,
            row.data,
            row.metadata,
            [],
            {} if references is None else await self.blobs(row.thread_id, row.ns, references(row.type, row.data)),
        )

    def _with_writes(self, stored: StoredCheckpoint) -> StoredCheckpoint:
        place = (stored.thread_id, stored.ns, stored.checkpoint_id)
        rows = [
            row
            for row in self.rows
            if isinstance(row, WriteRow) and (row.thread_id, row.ns, row.checkpoint_id) == place
        ]
        rows.sort(key=lambda row: (row.task_path, row.task_id, row.idx))
        stored.writes.extend(StoredWrite(row.task_id, row.channel, row.type, row.data) for row in rows)
        return stored
