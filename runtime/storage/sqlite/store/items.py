"""The long-term store on SQLite: a database of its own, with its own writer and readers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.store import (
    Embedded,
    GetItem,
    ListNamespaces,
    PutItem,
    SearchItems,
    StoreOperation,
    StoreResult,
    UnindexedItem,
)
from runyard.runtime.storage.rows.store import (
    expires_at,
    fields_text,
    item_from_row,
    namespace_text,
    unindexed_from_row,
    worth_refreshing,
)
from runyard.runtime.storage.sql.fetching import fetch_dict, fetch_dicts
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.migrations import STORE
from runyard.runtime.storage.sqlite.store.namespaces import (
    add_namespace_functions,
    list_namespaces,
)
from runyard.runtime.storage.sqlite.store.search import search_items
from runyard.runtime.storage.sqlite.store.vectors import load_vectors, offer_vectors
from runyard.runtime.storage.time_slice import TimeSlice

T = TypeVar("T")

FEW = 8
"""Items that are read where they are asked for, since that takes microseconds."""
EXPIRED_AT_ONCE = 50
"""Items that are removed between two looks at the clock: values and vectors may be large."""


class SqliteStoreItems:
    """Items as rows. In a database of their own, large values and writers in a hurry are not in the way of runs."""

    def __init__(self, path: Path, queries: Queries, *, sync: Literal["normal", "full"], loops: Loops | None) -> None:
        self._database = Database(path, sync=sync, loops=loops, schema=STORE, prepare=self._prepare)
        self._sql = queries
        self._maintain = self._meaning = False
        self._state: Literal["new", "open", "closed"] = "new"
        self._opening = threading.Lock()

    def open(self, *, maintain: bool) -> None:
        """Says how the database is to be opened by its first use."""
        self._maintain = maintain

    async def ready(self, *, dims: int | None = None) -> None:
        if dims is not None and not self._meaning:
            self._meaning = True
            offer_vectors()
        await asyncio.to_thread(self._open)

    def close(self) -> None:
        """Returns when what was asked for is done."""
        with self._opening:
            if self._state == "open":
                self._database.close()
            self._state = "closed"

    def _open(self) -> None:
        with self._opening:
            if self._state == "closed":
                raise Unavailable("the store is being closed; try again when the server is back")
            if self._state == "new":
                self._database.open(maintain=self._maintain)
                self._state = "open"

    def _prepare(self, connection: Connection) -> None:
        add_namespace_functions(connection)
        if self._meaning:
            load_vectors(connection)

    async def _opened(self) -> Database:
        if self._state != "open":
            try:
                await self.ready()
            except ConfigError as error:
                raise Unavailable(error.detail) from error
        return self._database

    async def write(self, write: Callable[[Connection], T]) -> T:
        """Runs `write` in a transaction of the store's database. Raises as `Database.write` does."""
        return await (await self._opened()).write(write)

    async def batch(self, scope: Scope, operations: Sequence[StoreOperation]) -> list[StoreResult]:
        database = await self._opened()
        reads = [operation for operation in operations if not isinstance(operation, PutItem)]
        puts = [operation for operation in operations if isinstance(operation, PutItem)]
        answers: list[StoreResult] = []
        outlived: list[int] = []
        if reads:
            answers, outlived = await self._read(database, reads)
        if puts or outlived:
            await database.write(lambda connection: self._write(connection, puts, outlived))
        answered = iter(answers)
        return [None if isinstance(operation, PutItem) else next(answered) for operation in operations]

    async def _read(
        self, database: Database, reads: Sequence[GetItem | SearchItems | ListNamespaces]
    ) -> tuple[list[StoreResult], list[int]]:
        """The answers, and the items that live on since they were read."""

        def work(connection: Connection) -> tuple[list[StoreResult], list[int]]:
            time, outlived = now(), list[int]()
            return [self._answer(connection, read, time, outlived) for read in reads], outlived

        if len(reads) <= FEW and all(isinstance(read, GetItem) for read in reads):
            return database.read_here(_in_one_state(work) if len(reads) > 1 else work)
        return await database.read_in_pool(_in_one_state(work), "search")

    def _answer(
        self,
        connection: Connection,
        read: GetItem | SearchItems | ListNamespaces,
        time: int,
        outlived: list[int],
    ) -> StoreResult:
        if isinstance(read, ListNamespaces):
            return list_namespaces(connection, read, time)
        if isinstance(read, SearchItems):
            rows = search_items(connection, read, time)
        else:
            row = fetch_dict(connection, self._sql["item"], (namespace_text(read.namespace), read.key, time))
            rows = [] if row is None else [row]
        if read.refresh:
            outlived += [row["id"] for row in rows if worth_refreshing(row, time)]
        items = [item_from_row(row, row["key"]) for row in rows]
        return items if isinstance(read, SearchItems) else next(iter(items), None)

    def _write(self, connection: Connection, puts: Sequence[PutItem], outlived: Sequence[int]) -> None:
        time = now()
        connection.executemany(self._sql["refresh_item"], [{"id": number, "now": time} for number in outlived])
        for put in puts:
            self._put(connection, put, time)

    def _put(self, connection: Connection, put: PutItem, time: int) -> None:
        namespace = namespace_text(put.namespace)
        if put.value is None:
            connection.execute(self._sql["delete_item"], (namespace, put.key))
            return
        row = {
            "namespace": namespace,
            "key": put.key,
            "value": put.value.decode(),
            "now": time,
            "ttl_minutes": put.ttl,
            "expires_at": expires_at(put, time),
            "fields": fields_text(put),
            "indexed": None if put.embedded is None else put.embedded.index,
        }
        ((number,),) = connection.execute(self._sql["put_item"], row).fetchall()
        self._replace_vectors(connection, number, put.embedded)

    def _replace_vectors(self, connection: Connection, number: int, embedded: Embedded | None) -> None:
        connection.execute(self._sql["delete_vectors"], (number,))
        if embedded is not None:
            rows = [(number, field, vector) for field, vector in embedded.vectors]
            connection.executemany(self._sql["insert_vector"], rows)

    # Maintenance

    async def expire(self, limit: int) -> bool:
        def work(connection: Connection) -> bool:
            piece, removed = TimeSlice(), 0
            while removed < limit:
                step = min(EXPIRED_AT_ONCE, limit - removed)
                found = connection.execute(self._sql["delete_expired_items"], (now(), step)).rowcount
                removed += found
                if found < step:
                    return False
                if piece.over:
                    break
            return True

        database = await self._opened()
        due = "select 1 from items where expires_at <= ? limit 1"
        if database.read_here(lambda connection: connection.execute(due, (now(),)).fetchone()) is None:
            return False
        return await database.write(work)

    async def count_unindexed(self, index: str) -> int:
        sql = self._sql["count_unindexed"]
        found = await (await self._opened()).read_in_pool(
            lambda connection: connection.execute(sql, {"index": index}).fetchone(), "search"
        )
        return int(found[0])

    async def unindexed(self, index: str, limit: int) -> list[UnindexedItem]:
        sql, parameters = self._sql["unindexed"], {"index": index, "limit": limit}
        rows = await (await self._opened()).read_in_pool(
            lambda connection: fetch_dicts(connection, sql, parameters), "search"
        )
        return [unindexed_from_row(row) for row in rows]

    async def index_items(self, items: Sequence[tuple[UnindexedItem, Embedded]]) -> None:
        def work(connection: Connection) -> None:
            for item, embedded in items:
                state = (embedded.index, item.number, item.state)
                if connection.execute(self._sql["set_indexed"], state).rowcount:
                    self._replace_vectors(connection, item.number, embedded)

        await (await self._opened()).write(work)


def _in_one_state(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    def read(connection: Connection) -> T:
        connection.execute("begin")
        try:
            return work(connection)
        finally:
            connection.execute("commit")

    return read
