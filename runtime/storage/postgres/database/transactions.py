"""Transactions on Postgres, in the thread that asks: each is made again where that does no harm.

One that fails since others were in its way is, and so is one whose connection was lost before its commit was sent:
nothing of it was kept. When the commit itself gets no answer, nobody knows; that is told as Unavailable, and what
workers do after it is fenced by leases.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeVar

import psycopg

from runyard.runtime.errors import StorageUnavailable
from runyard.runtime.storage.port.storage import Meter
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.connections import Connections, Group
from runyard.runtime.storage.postgres.database.errors import is_lost, is_passing, translated, unanswered, unavailable
from runyard.runtime.storage.postgres.database.exchange import Parameters, Row
from runyard.runtime.storage.postgres.database.plain_fence import PlainFence

T = TypeVar("T")
Work = Callable[[Connection], T]
Pool = Literal["main", "lease", "probe", "search", "copy"]

TRIES = 8
"""Of a transaction that others were in the way of."""
LONGEST_TRYING = 5.0
"""Seconds after which nothing is tried anew."""
LONGEST_IDLE = 3.0
"""Seconds for which a transaction that changes something may ask for nothing. It keeps others from what it has locked,
and a process that was suspended in it, or a machine that went away, would for as long as nobody notices."""


class Transactions:
    """`seconds`: those that a statement may take, by what it is for. Raises of every method: what its work raises, and
    nothing is changed then; Unavailable when the database cannot be had."""

    def __init__(
        self, connections: Connections, fence: PlainFence, seconds: Mapping[Pool, float], meter: Meter | None
    ) -> None:
        self._connections = connections
        self._fence = fence
        self._seconds = seconds
        self._meter = meter

    def read(self, work: Work[T]) -> T:
        """Runs `work`, of statements for reading, each of which sees what is there when it begins."""

        def once(connection: Connection) -> T:
            if not connection.always_in_transaction:
                return work(connection)
            connection.begin(mode="read only", seconds=self._seconds["main"])
            result = work(connection)
            connection.commit()
            return result

        return self._insist(once, lambda: True)

    def transact(self, work: Work[T], mode: str, pool: Pool, locks: Iterable[int]) -> T:
        """Runs `work` in a transaction of the `mode`, behind its `locks`; none that only reads has any."""
        committing = False
        numbers, seconds = list(locks), self._seconds[pool]

        def once(connection: Connection) -> T:
            nonlocal committing
            committing = False
            asked = time.monotonic()
            connection.begin(mode=mode, seconds=seconds, locks=numbers, idle=None if mode else LONGEST_IDLE)
            begun = time.monotonic()
            if not mode and pool != "lease" and self._fence.closed:
                self._fence.pass_through(connection)
            result = work(connection)
            committing = True
            connection.commit()
            if self._meter is not None and not mode:
                self._meter.locked(begun - asked, time.monotonic() - begun)
            return result

        return self._insist(once, lambda: not committing, pool)

    def transact_one(self, statement: str, parameters: Parameters, *, repeatable: bool) -> list[Row]:
        """A transaction of one statement, in one round trip; its rows. `repeatable`: made a second time, it changes
        nothing, so it is where nobody knows whether it was made."""
        lost = False

        def once(connection: Connection) -> list[Row]:
            begun = time.monotonic()
            before = self._fence.pass_through if self._fence.closed else None
            rows = connection.transact(statement, parameters, seconds=self._seconds["main"], before=before)
            if self._meter is not None:
                self._meter.locked(0.0, time.monotonic() - begun)
            return rows

        def harmless() -> bool:
            nonlocal lost
            lost, again = True, repeatable and not lost
            return again

        try:
            return self._insist(once, harmless)
        except StorageUnavailable:
            if lost:
                raise unanswered() from None
            raise

    def _insist(self, once: Work[T], harmless: Callable[[], bool], pool: Pool = "main") -> T:
        """`harmless` says whether nothing was kept of a try whose connection was lost."""
        lost, begun = 0, time.monotonic()
        for attempt in range(1, TRIES + 1):
            group: Group = "lease" if pool == "lease" else "shared"
            connection = self._connections.take(group)
            try:
                return once(connection)
            except psycopg.Error as failure:
                error = failure
            finally:
                self._connections.give_back(connection, group)
            late = time.monotonic() - begun > LONGEST_TRYING
            if is_lost(error):
                lost += 1
                if not harmless():
                    raise unanswered() from None
                if lost < 2 and not late:
                    continue
            elif is_passing(error) and attempt < TRIES and not late:
                time.sleep(random.uniform(0, 0.002 * 2**attempt))
                continue
            raise translated(error) or error from None
        raise unavailable("others were in the way of a change again and again; nothing was changed")
