"""The logs of threads, on SQLite: a row holds all that a run emitted in a moment, or an end."""

from collections.abc import Sequence

from runyard.runtime.storage.port.events import Ends, EventChunk, NewEvents, RunEnd, RunOutcome
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.leases import holds, lease_lost

ROWS_PER_PAGE = 500
"""Rows of a thread that one read answers: ends have no size."""


class SqliteEvents:
    """Events as rows that each hold a chunk, and ends, by thread and number."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        def work(connection: Connection) -> int:
            if not holds(connection, self._sql, lease):
                raise lease_lost(lease)
            seq = self._last_of_thread(connection, lease.thread_id)
            for piece in events:
                first, seq = seq + 1, seq + piece.count
                connection.execute(self._sql["insert_events"], (lease.thread_id, seq, first, lease.run_id, piece.data))
            return seq

        return await self._database.write(work)

    async def read(self, run_id: str, after: int, *, size: int) -> list[EventChunk]:
        def read(connection: Connection) -> list[EventChunk]:
            chunks: list[EventChunk] = []
            left = size
            rows = connection.execute(self._sql["read_events"], (run_id, after))
            while left > 0 and (row := rows.fetchone()) is not None:
                chunks.append(EventChunk(*row))
                left -= len(chunks[-1].data)
            rows.close()
            return chunks

        return await self._database.read_in_pool(read, "lookup")

    async def last(self, run_id: str) -> int:
        return self._database.read_here(lambda connection: last_event(connection, self._sql, run_id))

    async def read_thread(self, thread_id: str, after: int, upto: int, *, size: int) -> list[EventChunk | RunEnd]:
        given = {"thread_id": thread_id, "after": after, "upto": upto, "limit": ROWS_PER_PAGE}

        def read(connection: Connection) -> list[EventChunk | RunEnd]:
            entries: list[EventChunk | RunEnd] = []
            left = size
            rows = connection.execute(self._sql["read_thread_events"], given)
            while left > 0 and (row := rows.fetchone()) is not None:
                first, seq, data, run_id, status, unstored, ended_at = row
                if data is None:
                    entries.append(RunEnd(seq, run_id, status, bool(unstored), ended_at // 1000))
                else:
                    entries.append(EventChunk(first, seq, data))
                    left -= len(data)
            rows.close()
            return entries

        return await self._database.read_in_pool(read, "lookup")

    async def last_of_thread(self, thread_id: str) -> int:
        return self._database.read_here(lambda connection: self._last_of_thread(connection, thread_id))

    def _last_of_thread(self, connection: Connection, thread_id: str) -> int:
        (last,) = connection.execute(self._sql["last_of_thread"], {"thread_id": thread_id}).fetchone()
        return int(last)

    async def ends(self, thread_id: str, after: int, *, limit: int) -> Ends:
        def read(connection: Connection) -> Ends:
            # Before the ends: one that is written meanwhile is behind it.
            upto = self._last_of_thread(connection, thread_id)
            if upto <= after:
                return Ends((), after)
            rows = connection.execute(self._sql["ends"], (thread_id, after, limit)).fetchall()
            ends = [RunEnd(seq, run_id, status, bool(unstored)) for seq, run_id, status, unstored in rows]
            return Ends(ends, ends[-1].last if len(ends) == limit else max(upto, ends[-1].last if ends else 0))

        return self._database.read_here(read)

    async def outcome(self, run_id: str) -> RunOutcome | None:
        row = self._database.read_here(
            lambda connection: connection.execute(self._sql["outcome"], (run_id,)).fetchone()
        )
        if row is None:
            return None
        graph_id, protocol, attempt, paused, answer = row
        return RunOutcome(graph_id, bool(protocol), attempt > 0, bool(paused), answer)

    async def forget(self, older_than: float, limit: int) -> bool:
        before = now() - int(older_than * 1e6)

        def work(connection: Connection) -> bool:
            ends = connection.execute(self._sql["forget_ends"], (before, limit)).rowcount
            left = limit
            for seq, run_id in connection.execute(self._sql["resumable_before"], (before, limit)).fetchall():
                left -= connection.execute(self._sql["remove_events"], {"run_id": run_id, "limit": left}).rowcount
                if left <= 0:
                    return True
                connection.execute(self._sql["forget_resumable"], (seq,))
                left -= 1
            return ends == limit or left <= 0

        return await self._database.write(work)


def last_event(connection: Connection, sql: Queries, run_id: str) -> int:
    """The number of a run's last stored event; 0 if there is none."""
    row = connection.execute(sql["last_event"], (run_id,)).fetchone()
    return 0 if row is None else row[0]
