"""Events of resumable streams, on SQLite: a row holds all that a run emitted in a moment."""

import sqlite3

from runyard.runtime.storage.port.events import EventChunk
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.database import Database
from runyard.runtime.storage.sqlite.leases import holds, lease_lost


class SqliteEvents:
    """Events as rows that each hold a chunk, by run and number."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def append(self, lease: Lease, chunk: EventChunk) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if not holds(connection, self._sql, lease):
                raise lease_lost(lease)
            connection.execute(self._sql["insert_events"], (lease.run_id, chunk.first, chunk.last, chunk.data))

        await self._database.write(work)

    async def read(self, run_id: str, after: int) -> list[EventChunk]:
        rows = await self._database.read_in_pool(
            lambda connection: connection.execute(self._sql["read_events"], (run_id, after)).fetchall(), "lookup"
        )
        return [EventChunk(*row) for row in rows]

    async def read_thread(self, thread_id: str) -> list[EventChunk]:
        rows = await self._database.read_in_pool(
            lambda connection: connection.execute(self._sql["read_thread_events"], (thread_id,)).fetchall(), "lookup"
        )
        return [EventChunk(*row) for row in rows]

    async def last(self, run_id: str) -> int:
        (last,) = self._database.read(
            lambda connection: connection.execute(self._sql["last_event"], (run_id,)).fetchone()
        )
        return last or 0
