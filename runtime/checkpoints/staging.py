"""An edit of a thread's state before it is written: LangGraph sees it, storage does not yet.

LangGraph makes an edit in several writes, and reads its own ones in between. They are gathered here, so that all
of them and the thread's row can be written in one guarded transaction, or not at all.
"""

from collections.abc import Sequence

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import (
    CheckpointStorage,
    KeptCheckpoint,
    StoredBlob,
    StoredCheckpoint,
    StoredWrite,
)
from runyard.runtime.storage.port.queue import Lease


class StagedCheckpoints:
    """Checkpoint storage for a saver: what is stored of threads, with the staged rows on top.

    Reads answer as `CheckpointStorage` does; deleting, copying and pruning go straight to storage.
    """

    def __init__(self, storage: CheckpointStorage) -> None:
        self._storage = storage
        self.rows: list[CheckpointRow | WriteRow] = []
        """What is to be written, in order."""

    def post(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> None:
        """Stages rows; no lease is needed, since nothing is written yet."""
        self.rows += rows

    async def flush(self, lease: Lease | None) -> None:
        """Nothing is durable before the whole edit is."""

    def flush_blocking(self, lease: Lease | None) -> None:
        """Nothing is durable before the whole edit is."""

    def latest(self, thread_id: str, ns: str) -> StoredCheckpoint | None:
        return next(iter(self.history(thread_id, ns, before=None, limit=1)), None)

    def get(self, thread_id: str, ns: str, checkpoint_id: str) -> StoredCheckpoint | None:
        for row in self._checkpoints(thread_id, ns):
            if row.checkpoint_id == checkpoint_id:
                return self._with_writes(_stored(row))
        stored = self._storage.get(thread_id, ns, checkpoint_id)
        return None if stored is None else self._with_writes(stored)

    def history(
        self, thread_id: str | None, ns: str | None, *, before: str | None, limit: int | None
    ) -> list[StoredCheckpoint]:
        found = [
            _stored(row) for row in self._checkpoints(thread_id, ns) if before is None or row.checkpoint_id < before
        ]
        found += self._storage.history(thread_id, ns, before=before, limit=limit)
        found.sort(key=lambda stored: stored.checkpoint_id, reverse=True)
        return [self._with_writes(stored) for stored in found[:limit]]

    def namespaces(self, thread_id: str) -> list[str]:
        own = {row.ns for row in self._checkpoints(thread_id, None)}
        return [*own.union(self._storage.namespaces(thread_id))]

    def blobs(self, thread_id: str, ns: str, versions: dict[str, str]) -> dict[str, StoredBlob]:
        found = self._storage.blobs(thread_id, ns, versions)
        for row in self._checkpoints(thread_id, ns):
            for channel, version, kind, data in row.blobs:
                if versions.get(channel) == version:
                    found[channel] = StoredBlob(kind, data)
        return found

    def _checkpoints(self, thread_id: str | None, ns: str | None) -> list[CheckpointRow]:
        return [
            row
            for row in self.rows
            if isinstance(row, CheckpointRow) and thread_id in (None, row.thread_id) and ns in (None, row.ns)
        ]

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

    # What no edit does; here for the saver's sake.

    async def delete_thread(self, thread_id: str) -> None:
        await self._storage.delete_thread(thread_id)

    async def delete_runs(self, run_ids: Sequence[str]) -> None:
        await self._storage.delete_runs(run_ids)

    async def copy_thread(self, source: str, target: str) -> None:
        await self._storage.copy_thread(source, target)

    async def prune(self, thread_id: str, keep: Sequence[KeptCheckpoint]) -> None:
        await self._storage.prune(thread_id, keep)


def _stored(row: CheckpointRow) -> StoredCheckpoint:
    return StoredCheckpoint(
        row.thread_id, row.ns, row.checkpoint_id, row.parent_id, row.type, row.data, row.metadata, []
    )
