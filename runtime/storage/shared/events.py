"""The logs of threads, on every backend: a row holds all that a run emitted in a moment, or an end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from runyard.runtime.storage.port.events import Ends, EventChunk, NewEvents, RunEnd, RunOutcome
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.rows.events import last_event, last_of_thread
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements

C = TypeVar("C", bound=Statements)

ROWS_PER_PAGE: Final = 500
"""Rows that are looked at for one page: ends have no size."""


class Events(ABC, Generic[C]):
    """Events as rows that each hold a chunk, and ends, by thread and number."""

    def __init__(self, database: Database[C], queries: Queries) -> None:
        self._database = database
        self._sql = queries

    @abstractmethod
    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        """See the port."""

    @abstractmethod
    async def read(self, run_id: str, after: int, *, size: int) -> list[EventChunk]:
        """See the port."""

    @abstractmethod
    async def read_thread(self, thread_id: str, after: int, upto: int, *, size: int) -> list[EventChunk | RunEnd]:
        """See the port."""

    async def last(self, run_id: str) -> int:
        return await self._database.read(lambda connection: last_event(connection, self._sql, run_id))

    async def last_of_thread(self, thread_id: str) -> int:
        return await self._database.read(lambda connection: last_of_thread(connection, self._sql, thread_id))

    async def ends(self, thread_id: str, after: int, *, limit: int) -> Ends:
        def read(connection: Statements) -> Ends:
            # Before the ends: one that is written meanwhile is behind it.
            upto = last_of_thread(connection, self._sql, thread_id)
            if upto <= after:
                return Ends((), after)
            rows = connection.execute(self._sql["ends"], (thread_id, after, limit)).fetchall()
            ends = [RunEnd(seq, run_id, status, bool(unstored)) for seq, run_id, status, unstored in rows]
            return Ends(ends, ends[-1].last if len(ends) == limit else max(upto, ends[-1].last if ends else 0))

        return await self._database.read(read)

    async def outcome(self, run_id: str) -> RunOutcome | None:
        row = await self._database.read(
            lambda connection: connection.execute(self._sql["outcome"], (run_id,)).fetchone()
        )
        if row is None:
            return None
        graph_id, protocol, attempt, paused, answer = row
        return RunOutcome(graph_id, bool(protocol), attempt > 0, bool(paused), answer)

    async def forget(self, older_than: float, limit: int) -> bool:
        def work(connection: Statements) -> bool:
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
