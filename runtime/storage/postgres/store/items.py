"""The long-term store on Postgres: items as rows, beside everything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.store import (
    Embedded,
    GetItem,
    ListNamespaces,
    Namespace,
    PutItem,
    SearchItems,
    StoreOperation,
    StoreResult,
    UnindexedItem,
)
from runyard.runtime.storage.postgres.database.connection import SLICES, Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.groups import Groups
from runyard.runtime.storage.postgres.database.reaching import explained
from runyard.runtime.storage.postgres.store.namespaces import list_namespaces
from runyard.runtime.storage.postgres.store.search import search_items
from runyard.runtime.storage.postgres.store.vectors import LOCK, check_dims, prepare_vectors, vector_text
from runyard.runtime.storage.rows.store import (
    expires_at,
    fields_text,
    item_from_row,
    namespace_text,
    unindexed_from_row,
    worth_refreshing,
)
from runyard.runtime.storage.sql.fetching import fetch_dicts, one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.time_slice import TimeSlice

EXPIRED_AT_ONCE = 50
"""Items that are removed between two looks at the clock: values may be large."""

_Found = Mapping[bytes, dict[str, Any]]
"""Rows of items by their digest."""


class _Changes(NamedTuple):
    """What one batch changes: items that it puts, and those that live on since it has read them."""

    puts: Sequence[PutItem]
    outlived: Sequence[int]


class PostgresStoreItems:
    """Items by the digest of namespace and key, which are as long as they like."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries
        self._vectors: str | None = None
        # Items belong to no thread; they are locked in the order of their digests.
        self._changes: Groups[_Changes, None] = Groups(database, self._change, lambda changes: (), for_clients=True)

    async def ready(self, *, dims: int | None = None) -> None:
        if dims is None:
            return
        target = self._database.target
        check_dims(target, dims)
        if self._vectors is None:
            with explained(target):
                self._vectors = await self._database.write(
                    lambda connection: prepare_vectors(connection, target, self._sql), locks=[LOCK]
                )

    async def batch(self, scope: Scope, operations: Sequence[StoreOperation]) -> list[StoreResult]:
        reads = [operation for operation in operations if not isinstance(operation, PutItem)]
        puts = [operation for operation in operations if isinstance(operation, PutItem)]
        answers: list[StoreResult] = []
        outlived: list[int] = []
        if reads:
            answers, outlived = await self._read(reads)
        if puts or outlived:
            await self._changes.add(_Changes(puts, outlived))
        answered = iter(answers)
        return [None if isinstance(operation, PutItem) else next(answered) for operation in operations]

    async def _read(
        self, reads: Sequence[GetItem | SearchItems | ListNamespaces]
    ) -> tuple[list[StoreResult], list[int]]:
        """The answers, and the items that live on since they were read."""
        gets = {digest_of(read.namespace, read.key) for read in reads if isinstance(read, GetItem)}

        def work(connection: Connection) -> tuple[list[StoreResult], list[int]]:
            rows = fetch_dicts(connection, self._sql["items"], (list(gets),)) if gets else []
            found, outlived = {row["digest"]: row for row in rows}, list[int]()
            return [self._answer(connection, read, found, outlived) for read in reads], outlived

        if all(isinstance(read, GetItem) for read in reads):  # one statement
            return await self._database.read(work)
        return await self._database.snapshot(work, "search")

    def _answer(
        self,
        connection: Connection,
        read: GetItem | SearchItems | ListNamespaces,
        found: _Found,
        outlived: list[int],
    ) -> StoreResult:
        if isinstance(read, ListNamespaces):
            return list(list_namespaces(connection, read))
        if isinstance(read, SearchItems):
            rows = search_items(connection, read, self._vectors)
            time = connection.now
        else:
            row = found.get(digest_of(read.namespace, read.key))
            rows = [] if row is None else [row]
            time = 0 if row is None else row["now"]
        if read.refresh:
            outlived += [row["id"] for row in rows if worth_refreshing(row, time)]
        items = [item_from_row(row, row["key"].decode()) for row in rows]
        return items if isinstance(read, SearchItems) else next(iter(items), None)

    def _change(self, connection: Connection, batches: Sequence[_Changes]) -> list[None]:
        outlived = {number for batch in batches for number in batch.outlived}
        if outlived:
            connection.execute(self._sql["refresh_items"], {"ids": list(outlived), "now": connection.now})
        deleted: set[bytes] = set()
        kept: dict[bytes, PutItem] = {}
        for put in (put for batch in batches for put in batch.puts):
            digest = digest_of(put.namespace, put.key)
            kept.pop(digest, None)  # what is put again comes behind what was put before
            if put.value is None:
                deleted.add(digest)
            else:
                kept[digest] = put
        if deleted:
            connection.execute(self._sql["delete_items"], (list(deleted),))
        if kept:
            rows = [_row(digest, put, connection.now) for digest, put in kept.items()]
            columns = [list(column) for column in zip(*rows, strict=True)]
            stored = connection.execute(self._sql["put_items"], [connection.now, connection.now, *columns])
            self._add_vectors(connection, [(number, kept[digest].embedded) for digest, number in stored])
        return [None] * len(batches)

    def _add_vectors(self, connection: Connection, items: Iterable[tuple[int, Embedded | None]]) -> None:
        """Of items that have none: what they had went with their earlier index."""
        rows = [
            (number, field, vector_text(vector))
            for number, embedded in items
            if embedded is not None
            for field, vector in embedded.vectors
        ]
        if rows:
            assert self._vectors is not None, "it was not said that items are to be found by what they mean"
            columns = [list(column) for column in zip(*rows, strict=True)]
            connection.execute(self._sql["insert_vectors"].format(vectors=self._vectors), columns)

    # Maintenance

    async def expire(self, limit: int) -> bool:
        def work(connection: Connection) -> bool:
            piece, removed = TimeSlice(SLICES), 0
            while removed < limit:
                step = min(EXPIRED_AT_ONCE, limit - removed)
                found = connection.execute(self._sql["delete_expired_items"], (connection.now, step)).rowcount
                removed += found
                if found < step:
                    return False
                if piece.over:
                    break
            return True

        due = await self._database.read(lambda connection: connection.execute(self._sql["item_is_due"]).fetchone())
        return due is not None and await self._database.write(work)

    async def count_unindexed(self, index: str) -> int:
        def work(connection: Connection) -> int:
            return int(one(connection, self._sql["count_unindexed"], {"index": index})[0])

        return await self._database.snapshot(work, "search")

    async def unindexed(self, index: str, limit: int) -> list[UnindexedItem]:
        sql, parameters = self._sql["unindexed"], {"index": index, "limit": limit}
        rows = await self._database.snapshot(lambda connection: fetch_dicts(connection, sql, parameters), "search")
        return [unindexed_from_row(row) for row in rows]

    async def index_items(self, items: Sequence[tuple[UnindexedItem, Embedded]]) -> None:
        numbers = [item.number for item, _ in items]

        def work(connection: Connection) -> None:
            states: dict[int, int] = dict(connection.execute(self._sql["lock_items"], (numbers,)).fetchall())
            indexed = {item.number: new for item, new in items if states.get(item.number) == item.state}
            connection.execute(self._sql["set_indexed"], (list(indexed), [new.index for new in indexed.values()]))
            self._add_vectors(connection, indexed.items())

        await self._database.write(work)


def digest_of(namespace: Namespace, key: str) -> bytes:
    """What an item is found by. No namespace has a NUL character."""
    return sha256(f"{namespace_text(namespace)}\0{key}".encode()).digest()


def _row(digest: bytes, put: PutItem, now: int) -> tuple[Any, ...]:
    assert put.value is not None
    return (
        digest,
        namespace_text(put.namespace),
        put.key.encode(),
        put.value.decode(),
        put.ttl,
        expires_at(put, now),
        fields_text(put),
        None if put.embedded is None else put.embedded.index,
    )
