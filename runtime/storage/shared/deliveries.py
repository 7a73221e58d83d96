"""Webhook calls that are to be made, on every backend. A row is written in the transaction that ends the run, or the
batch."""

from __future__ import annotations

from typing import Generic, TypeVar

from runyard.runtime.storage.port.deliveries import Delivery
from runyard.runtime.storage.rows.deliveries import ended_batch
from runyard.runtime.storage.shared.queue_time import Clock, seconds_until
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements

C = TypeVar("C", bound=Statements)


class Deliveries(Generic[C]):
    """Deliveries as rows that are deleted once they are done with, delivered or not."""

    def __init__(self, database: Database[C], queries: Queries, clock: Clock[C]) -> None:
        self._database = database
        self._sql = queries
        self._clock = clock

    async def _sender(self) -> str | None:
        """Who claims, where several servers do."""
        return None

    async def claim(self, limit: int, lease_seconds: float) -> list[Delivery]:
        sender = await self._sender()

        def work(connection: C) -> list[Delivery]:
            time = self._clock(connection)
            given = {"now": time, "leased": time + int(lease_seconds * 1e6), "limit": limit, "sender": sender}
            return [
                Delivery(
                    delivery_id=delivery_id,
                    attempt=attempt,
                    url=url,
                    run_id=run_id or None,
                    batch_id=batch_id,
                    # The row of a batch's call was written by a trigger, and is filled in here.
                    payload=(batch_id and ended_batch(connection, self._sql, batch_id)) or payload,
                )
                for delivery_id, attempt, url, run_id, payload, batch_id in connection.execute(
                    self._sql["claim_deliveries"], given
                ).fetchall()
            ]

        return await self._database.write(work)

    async def finish(self, delivery_id: int, attempt: int, *, delivered: bool) -> None:
        await self._database.write(
            lambda connection: connection.execute(self._sql["finish_delivery"], (delivery_id, attempt)).rowcount
        )

    async def postpone(self, delivery_id: int, attempt: int, *, seconds: float, error: str) -> None:
        def work(connection: C) -> None:
            due = self._clock(connection) + int(seconds * 1e6)
            given = {"delivery_id": delivery_id, "attempt": attempt, "due": due, "error": error}
            connection.execute(self._sql["postpone_delivery"], given)

        await self._database.write(work)

    async def next_due(self) -> float | None:
        return await self._database.read(
            lambda connection: seconds_until(connection, self._sql, "next_delivery_due", self._clock)
        )
