"""Webhook calls that are to be made, on Postgres. A row is written in the transaction that ends the run, or the
batch."""

from runyard.runtime.storage.port.deliveries import Delivery
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.workers.worker_leases import WorkerLeases
from runyard.runtime.storage.rows.deliveries import ended_batch
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries


class PostgresDeliveries:
    """Deliveries as rows that are deleted once they are done with, delivered or not. What a server has claimed is
    taken back as the runs of workers are, when its lease as a server says that it lives no more."""

    def __init__(self, database: Database, queries: Queries, leases: WorkerLeases) -> None:
        self._database = database
        self._sql = queries
        self._leases = leases

    async def claim(self, limit: int, lease_seconds: float) -> list[Delivery]:
        sender = await self._leases.server()

        def work(connection: Connection) -> list[Delivery]:
            leased = connection.now + int(lease_seconds * 1e6)
            rows = connection.execute(
                self._sql["claim_deliveries"],
                {"now": connection.now, "leased": leased, "limit": limit, "sender": sender},
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
            due = connection.now + int(seconds * 1e6)
            connection.execute(
                self._sql["postpone_delivery"],
                {"delivery_id": delivery_id, "attempt": attempt, "due": due, "error": error},
            )

        await self._database.write(work)

    async def next_due(self) -> float | None:
        due, time = await self._database.read(lambda connection: one(connection, self._sql["next_delivery_due"]))
        return None if due is None else max(0.0, (due - time) / 1e6)
