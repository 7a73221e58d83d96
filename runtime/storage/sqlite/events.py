"""Events of resumable streams, on SQLite: a row holds all that a run emitted in a moment."""

import sqlite3
from collections.abc import Sequence

from runyard.runtime.storage.port.events import EndPlace, EventChunk, EventPlace, RunEnd, ThreadPage
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.database import Database, now
from runyard.runtime.storage.sqlite.leases import holds, lease_lost

RUNS_PER_PAGE = 500
"""Runs of a thread that one read looks at: most may have no events."""


class SqliteEvents:
    """Events as rows that each hold a chunk, by run and number."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def append(self, lease: Lease, chunks: Sequence[EventChunk]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if not holds(connection, self._sql, lease):
                raise lease_lost(lease)
            for chunk in chunks:
                connection.execute(self._sql["insert_events"], (lease.run_id, chunk.first, chunk.last, chunk.data))

        await self._database.write(work)

    async def read(self, run_id: str, after: int, *, size: int) -> list[EventChunk]:
        return await self._database.read_in_pool(
            lambda connection: self._read(connection, run_id, after, size), "lookup"
        )

    def _read(self, connection: sqlite3.Connection, run_id: str, after: int, size: int) -> list[EventChunk]:
        chunks: list[EventChunk] = []
        rows = connection.execute(self._sql["read_events"], {"run_id": run_id, "after": after})
        while size > 0 and (row := rows.fetchone()) is not None:
            chunks.append(EventChunk(*row))
            size -= len(chunks[-1].data)
        rows.close()
        return chunks

    async def last(self, run_id: str) -> int:
        return self._database.read(lambda connection: last_event(connection, self._sql, run_id))

    async def place(self, thread_id: str, since: int) -> EventPlace:
        parameters = {"thread_id": thread_id, "since": since * 1000}
        (seq,) = await self._database.read_in_pool(
            lambda connection: connection.execute(self._sql["first_run_since"], parameters).fetchone(), "lookup"
        )
        # Without such a run: behind all that there are.
        return EventPlace(2**62 if seq is None else seq, 0)

    async def read_thread(self, thread_id: str, after: EventPlace, *, size: int) -> ThreadPage:
        def read(connection: sqlite3.Connection) -> ThreadPage:
            chunks: list[EventChunk] = []
            left, place = size, after
            runs = connection.execute(self._sql["runs_from"], (thread_id, after.seq))
            for count, (seq, run_id) in enumerate(runs):
                place = EventPlace(seq, after.number if seq == after.seq else 0)
                if left <= 0 or count == RUNS_PER_PAGE:
                    runs.close()
                    return ThreadPage(chunks, place)
                found = self._read(connection, run_id, place.number, left)
                chunks += found
                left -= sum(len(chunk.data) for chunk in found)
                if found and left <= 0:
                    runs.close()
                    return ThreadPage(chunks, EventPlace(seq, found[-1].last))
            return ThreadPage(chunks, None)

        return await self._database.read_in_pool(read, "lookup")

    async def ends(self, thread_id: str, after: EndPlace, *, limit: int) -> list[RunEnd]:
        parameters = {"thread_id": thread_id, "ended_at": after.ended_at, "seq": after.seq, "limit": limit}
        rows = self._database.read(lambda connection: connection.execute(self._sql["ends"], parameters).fetchall())
        return [RunEnd(EndPlace(ended_at, seq), run_id, bool(unstored)) for ended_at, seq, run_id, unstored in rows]

    async def last_end(self, thread_id: str) -> EndPlace:
        row = self._database.read(
            lambda connection: connection.execute(self._sql["last_end"], {"thread_id": thread_id}).fetchone()
        )
        return EndPlace(0, 0) if row is None else EndPlace(*row)

    async def end_of(self, thread_id: str, seq: int) -> EndPlace | None:
        row = self._database.read(
            lambda connection: connection.execute(self._sql["end_of"], {"thread_id": thread_id, "seq": seq}).fetchone()
        )
        return None if row is None else EndPlace(row[0], seq)

    async def forget(self, older_than: float, limit: int) -> bool:
        before = now() - int(older_than * 1e6)

        def work(connection: sqlite3.Connection) -> bool:
            removed = connection.execute(self._sql["forget_removed_runs"], (before, limit)).rowcount
            left = limit
            for seq, run_id in connection.execute(self._sql["resumable_before"], (before, limit)).fetchall():
                parameters = {"run_id": run_id, "limit": left}
                left -= connection.execute(self._sql["delete_some_events"], parameters).rowcount
                if left <= 0:
                    return True
                connection.execute(self._sql["forget_resumable"], (seq,))
                left -= 1
            return removed == limit or left <= 0

        return await self._database.write(work)


def last_event(connection: sqlite3.Connection, sql: Queries, run_id: str) -> int:
    """The number of a run's last stored event; 0 if there is none."""
    row = connection.execute(sql["last_event"], (run_id,)).fetchone()
    return 0 if row is None else row[0]
