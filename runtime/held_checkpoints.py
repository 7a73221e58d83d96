"""Checkpoints of a short run in memory, read as those in storage are."""

from collections.abc import Sequence

from runyard.runtime.storage.records import CheckpointRow, StoredCheckpoint, WriteRow


class HeldCheckpoints:
    """Rows in the order in which they came; few, since they are held for about a second."""

    def __init__(self) -> None:
        self.rows: list[CheckpointRow | WriteRow] = []

    def add(self, rows: Sequence[CheckpointRow | WriteRow]) -> None:
        self.rows.extend(rows)

    def latest(self, thread_id: str, ns: str) -> StoredCheckpoint | None:
        return next(iter(self.history(thread_id, ns, before=None, limit=1)), None)

    def get(self, thread_id: str, ns: str, checkpoint_id: str) -> StoredCheckpoint | None:
        for row in self.rows:
            if isinstance(row, CheckpointRow) and (row.ns, row.checkpoint_id) == (ns, checkpoint_id):
                return self._stored(row)
        return None

    def history(
        self, thread_id: str | None, ns: str | None, *, before: str | None, limit: int | None
    ) -> list[StoredCheckpoint]:
        rows = [
            row
            for row in self.rows
            if isinstance(row, CheckpointRow)
            and (ns is None or row.ns == ns)
            and (before is None or row.checkpoint_id < before)
        ]
        rows.sort(key=lambda row: row.checkpoint_id, reverse=True)
        return [self._stored(row) for row in rows[:limit]]

    def blobs(self, thread_id: str, ns: str, versions: dict[str, str]) -> dict[str, tuple[str, bytes]]:
        return {
            channel: (kind, data)
            for row in self.rows
            if isinstance(row, CheckpointRow) and row.ns == ns
            for channel, version, kind, data in row.blobs
            if versions.get(channel) == version
        }

    def _stored(self, checkpoint: CheckpointRow) -> StoredCheckpoint:
        writes: dict[tuple[str, int], WriteRow] = {}
        for row in self.rows:
            if isinstance(row, WriteRow) and (row.ns, row.checkpoint_id) == (
                checkpoint.ns,
                checkpoint.checkpoint_id,
            ):
                key = (row.task_id, row.idx)
                if row.idx < 0 or key not in writes:
                    writes[key] = row
        ordered = sorted(writes.values(), key=lambda row: (row.task_path, row.task_id, row.idx))
        return StoredCheckpoint(
            checkpoint.thread_id,
            checkpoint.ns,
            checkpoint.checkpoint_id,
            checkpoint.parent_id,
            checkpoint.type,
            checkpoint.data,
            checkpoint.metadata,
            [(row.task_id, row.channel, row.type, row.data) for row in ordered],
        )
