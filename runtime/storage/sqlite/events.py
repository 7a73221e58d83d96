"""The logs of threads, on SQLite."""

from collections.abc import Sequence

from runyard.runtime.storage.port.events import EventChunk, NewEvents, RunEnd
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.rows.events import entry_from_row, last_of_thread
from runyard.runtime.storage.shared.events import ROWS_PER_PAGE, Events
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.leases import holds, lease_lost


class SqliteEvents(Events[Connection]):
    """See `Events`. Rows are read one by one, until they are as much as was asked for."""

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        def work(connection: Connection) -> int:
            if not holds(connection, self._sql, lease):
                raise lease_lost(lease)
            seq = last_of_thread(connection, self._sql, lease.thread_id)
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

        return await self._database.read_aside(read)

    async def read_thread(self, thread_id: str, after: int, upto: int, *, size: int) -> list[EventChunk | RunEnd]:
        given = {"thread_id": thread_id, "after": after, "upto": upto, "limit": ROWS_PER_PAGE}

        def read(connection: Connection) -> list[EventChunk | RunEnd]:
            entries: list[EventChunk | RunEnd] = []
            left = size
            rows = connection.execute(self._sql["read_thread_events"], given)
            while left > 0 and (row := rows.fetchone()) is not None:
                entries.append(entry_from_row(row))
                left -= len(row[2] or b"")
            rows.close()
            return entries

        return await self._database.read_aside(read)
