"""Webhook calls that are to be made, on SQLite. A row is written in the transaction that ends the run, or the
batch."""

from runyard.runtime.storage.port.deliveries import Delivery
from runyard.runtime.storage.rows.deliveries import ended_batch
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock


class SqliteDeliveries:
    """Deliveries as rows that are deleted once they are done with, delivered or not."""

    def __init__(self, database: Database, queries: Queries, clock: QueueClock) -> None:
        self._clock = clock
        self._database = database
        self._sql = queries

    def release(self) -> None:
        """Makes due what an earlier server had claimed, which has ended since: it is not waited for its lease."""
        self._database.write_blocking(lambda connection: connection.execute(self._sql["release_deliveries"]).rowcount)

    async def claim(self, limit: int, lease_seconds: float) -> list[Delivery]:
        def work(connection: Connection) -> list[Delivery]:
            time = self._clock.now()
            leased = time + int(lease_seconds * 1e6)
            rows = connection.execute(
                self._sql["claim_deliveries"], {"now": time, "leased": leased, "limit": limit}
            ).fetchall()
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
                for delivery_id, attempt, url, run_id, payload, batch_id in rows
            ]

        return await self._database.write(work)

    async def finish(self, delivery_id: int, attempt: int, *, delivered: bool) -> None:
        await self._database.write(
            lambda connection: connection.execute(self._sql["finish_delivery"], (delivery_id, attempt)).rowcount
        )

    async def postpone(self, delivery_id: int, attempt: int, *, seconds: float, error: str) -> None:
        def work(connection: Connection) -> None:
            due = self._clock.now() + int(seconds * 1e6)
            connection.execute(
                self._sql["postpone_delivery"],
                {"delivery_id": delivery_id, "attempt": attempt, "due": due, "error": error},
            )

        await self._database.write(work)

    async def next_due(self) -> float | None:
        (due,) = self._database.read_here(
            lambda connection: connection.execute(self._sql["next_delivery_due"]).fetchone()
        )
        return None if due is None else max(0.0, (due - self._clock.now()) / 1e6)
