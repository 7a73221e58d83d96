"""The logs of threads, on Postgres.

Numbers are given under the lock of the thread, so they are seen in their order: who has read one finds no lower one
later.
"""

from collections.abc import Sequence
from typing import NamedTuple

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port.events import EventChunk, NewEvents, RunEnd
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.groups import Groups
from runyard.runtime.storage.postgres.leases import lease_lost, places_of_held
from runyard.runtime.storage.rows.events import entry_from_row
from runyard.runtime.storage.shared.events import ROWS_PER_PAGE, Events
from runyard.runtime.storage.sql.queries import Queries


class _Append(NamedTuple):
    """What `EventStorage.append` is asked for."""

    lease: Lease
    events: Sequence[NewEvents]


class PostgresEvents(Events[Connection]):
    """See `Events`."""

    def __init__(self, database: Database, queries: Queries) -> None:
        super().__init__(database, queries)
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

    async def read_thread(self, thread_id: str, after: int, upto: int, *, size: int) -> list[EventChunk | RunEnd]:
        given = {"thread_id": thread_id, "after": after, "upto": upto, "limit": ROWS_PER_PAGE, "size": size}
        rows = await self._database.read(
            lambda connection: connection.execute(self._sql["read_thread_events"], given).fetchall()
        )
        return [entry_from_row(row) for row in rows]
