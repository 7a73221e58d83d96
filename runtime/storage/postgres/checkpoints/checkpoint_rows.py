"""How rows of the LangGraph saver are written, on Postgres."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.postgres.database.arrays import Packed, integers, payloads, texts
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.sql.queries import Queries


def columns_of_added(rows: Sequence[CheckpointRow | WriteRow]) -> list[Packed] | None:
    """The parameters of `add_checkpoint_rows` that write the rows; None where that is not enough."""
    gathered = _Gathered()
    for row in rows:
        if not gathered.takes(row):
            return None
        gathered.add(row)
    return gathered.columns() if gathered.only_added else None


def write_rows(connection: Connection, sql: Queries, rows: Iterable[CheckpointRow | WriteRow]) -> None:
    """Writes checkpoints with their channel values, and pending writes, in order: a statement for all of a kind."""
    gathered = _Gathered()
    for row in rows:
        if not gathered.takes(row):
            gathered.write(connection, sql)
            gathered = _Gathered()
        gathered.add(row)
    gathered.write(connection, sql)


_Pack = Callable[[Iterable[Any]], Packed]
_CHECKPOINT: tuple[_Pack, ...] = (texts, texts, texts, texts, texts, texts, payloads, payloads)
_BLOB: tuple[_Pack, ...] = (texts, texts, texts, texts, texts, texts, payloads)
_WRITE: tuple[_Pack, ...] = (texts, texts, texts, texts, integers, texts, texts, texts, payloads, texts)


class _Gathered:
    """Rows that are written together. One statement cannot replace what it has written itself, so there is only one of
    each checkpoint, and of each write that is replaced."""

    def __init__(self) -> None:
        self._checkpoints: dict[tuple[str, str, str], tuple[Any, ...]] = {}
        self._blobs: list[tuple[Any, ...]] = []
        self._added: list[tuple[Any, ...]] = []
        self._replacing: dict[tuple[str, str, str, str, int], tuple[Any, ...]] = {}
        self._replaced: list[tuple[Any, ...]] = []
        self._latest: dict[str, str] = {}

    def takes(self, row: CheckpointRow | WriteRow) -> bool:
        if isinstance(row, CheckpointRow):
            return (row.thread_id, row.ns, row.checkpoint_id) not in self._checkpoints
        return row.idx >= 0 or _key(row) not in self._replacing

    def add(self, row: CheckpointRow | WriteRow) -> None:
        """One that it takes."""
        if isinstance(row, CheckpointRow):
            key = (row.thread_id, row.ns, row.checkpoint_id)
            self._checkpoints[key] = (*key, row.parent_id, row.run_id, row.type, row.data, row.metadata)
            self._blobs += (
                (row.thread_id, row.ns, channel, version, row.run_id, kind, data)
                for channel, version, kind, data in row.blobs
            )
            return
        written = (*_key(row), row.run_id, row.channel, row.type, row.data, row.task_path)
        if row.idx >= 0:
            self._added.append(written)
            return
        self._replacing[_key(row)] = written
        if row.run_id is not None:
            self._replaced.append((*_key(row), row.run_id))
            self._latest[row.thread_id] = row.run_id

    @property
    def only_added(self) -> bool:
        return not self._replacing

    def columns(self) -> list[Packed]:
        """What is added, as `add_checkpoint_rows` takes it."""
        columns = []
        for kinds, rows in (
            (_CHECKPOINT, list(self._checkpoints.values())),
            (_BLOB, self._blobs),
            (_WRITE, self._added),
        ):
            values = zip(*rows, strict=True) if rows else ((),) * len(kinds)
            columns += [pack(column) for pack, column in zip(kinds, values, strict=True)]
        return columns

    def write(self, connection: Connection, sql: Queries) -> None:
        if self._checkpoints or self._added:
            connection.execute(sql["add_rows"], self.columns())
        for name, rows in (
            ("forget_replaced_writes", list(self._latest.items())),
            ("keep_replaced_writes", self._replaced),
            ("replace_writes", list(self._replacing.values())),
        ):
            if rows:
                connection.execute(sql[name], [list(column) for column in zip(*rows, strict=True)])


def _key(row: WriteRow) -> tuple[str, str, str, str, int]:
    return row.thread_id, row.ns, row.checkpoint_id, row.task_id, row.idx
