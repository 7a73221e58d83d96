"""The logs of threads, on Postgres: a row holds all that a run emitted in a moment, or an end.

Numbers are given under the lock of the thread, so they are seen in their order: who has read one finds no lower one
later.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port.events import Ends, EventChunk, NewEvents, RunEnd, RunOutcome
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.groups import Groups
from runyard.runtime.storage.postgres.leases import lease_lost, places_of_held
from runyard.runtime.storage.rows.events import last_event, last_of_thread
from runyard.runtime.storage.sql.queries import Queries

ROWS_PER_PAGE = 500
"""Rows that are looked at for one page: ends have no size."""


class _Append(NamedTuple):
    """What `EventStorage.append` is asked for."""

    lease: Lease
    events: Sequence[NewEvents]


class PostgresEvents:
    """Events as rows that each hold a chunk, and ends, by thread and number."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries
        self._appends: Groups[_Append, int] = Groups(database, self._write, lambda append: [append.lease.thread_id])

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        return await self._appends.add(_Append(lease, events))

    def _write(self, connection: Connection, appends: Sequence[_Append]) -> list[int | LeaseLost]:
        held = places_of_held(connection, self._sql, {place: append.lease for place, append in enumerate(appends)})
        threads = list({appends[place].lease.thread_id for place in held})
        last: dict[str, int] = dict(connection.execute(self._sql["last_of_threads"], (threads,)).fetchall())
        rows: list[tuple[str, int, int, str, bytes]] = []
        results: list[int | LeaseLost] = []
        for place, (lease, events) in enumerate(appends):
            if place not in held:
                results.append(lease_lost(lease))
                continue
            for piece in events:
                first, seq = last[lease.thread_id] + 1, last[lease.thread_id] + piece.count
                rows.append((lease.thread_id, seq, first, lease.run_id, piece.data))
                last[lease.thread_id] = seq
            results.append(last[lease.thread_id])
        if rows:
            connection.execute(self._sql["insert_events"], [list(column) for column in zip(*rows, strict=True)])
        return results

    async def read(self, run_id: str, after: int, *, size: int) -> list[EventChunk]:
        given = {"run_id": run_id, "limit": ROWS_PER_PAGE}

        def read(connection: Connection) -> list[EventChunk]:
            chunks: list[EventChunk] = []
            left, behind = size, after
            while left > 0:
                page = connection.execute(self._sql["read_events"], {**given, "after": behind, "size": left}).fetchall()
                if not page:
                    break
                chunks += (EventChunk(*row) for row in page)
                left -= sum(len(data) for _, _, data in page)
                behind = chunks[-1].last
            return chunks

        return await self._database.read(read)

    async def last(self, run_id: str) -> int:
        return await self._database.read(lambda connection: last_event(connection, self._sql, run_id))

    async def read_thread(self, thread_id: str, after: int, upto: int, *, size: int) -> list[EventChunk | RunEnd]:
        given = {"thread_id": thread_id, "after": after, "upto": upto, "limit": ROWS_PER_PAGE, "size": size}
        rows = await self._database.read(
            lambda connection: connection.execute(self._sql["read_thread_events"], given).fetchall()
        )
        return [_entry(row) for row in rows]

    async def last_of_thread(self, thread_id: str) -> int:
        return await self._database.read(lambda connection: last_of_thread(connection, self._sql, thread_id))

    async def ends(self, thread_id: str, after: int, *, limit: int) -> Ends:
        def read(connection: Connection) -> Ends:
            # Before the ends: one that is written meanwhile is behind it.
            upto = last_of_thread(connection, self._sql, thread_id)
            if upto <= after:
                return Ends((), after)
            rows = connection.execute(self._sql["ends"], (thread_id, after, limit)).fetchall()
            ends = [RunEnd(*row) for row in rows]
            return Ends(ends, ends[-1].last if len(ends) == limit else max(upto, ends[-1].last if ends else 0))

        return await self._database.read(read)

    async def outcome(self, run_id: str) -> RunOutcome | None:
        row = await self._database.read(
            lambda connection: connection.execute(self._sql["outcome"], (run_id,)).fetchone()
        )
        if row is None:
            return None
        graph_id, protocol, attempt, paused, answer = row
        return RunOutcome(graph_id, protocol, attempt > 0, paused, answer)

    async def forget(self, older_than: float, limit: int) -> bool:
        def work(connection: Connection) -> bool:
            before = connection.now - int(older_than * 1e6)
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


def _entry(row: tuple[Any, ...]) -> EventChunk | RunEnd:
    first, seq, data, run_id, status, unstored, ended_at = row
    if data is None:
        return RunEnd(seq, run_id, status, unstored, ended_at // 1000)
    return EventChunk(first, seq, data)
