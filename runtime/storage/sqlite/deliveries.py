"""Webhook calls that are to be made, on SQLite. A row is written in the transaction that ends the run, or the
batch."""

import sqlite3

import orjson

from runyard.runtime.storage.port.deliveries import Delivery
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.batch_rows import read_batch
from runyard.runtime.storage.sqlite.database import Database
from runyard.runtime.storage.sqlite.queue_clock import QueueClock
from runyard.runtime.storage.sqlite.rows import fetch_dict
from runyard.runtime.storage.webhook_payloads import run_payload


def add_delivery(
    connection: sqlite3.Connection,
    sql: Queries,
    seq: int,
    time: int,
    *,
    values: bytes | None = None,
    error: bytes | None = None,
) -> None:
    """Notes the webhook call for a run that has just ended. `values` and `error` are JSON and sent as they are."""
    row = fetch_dict(connection, sql["run_by_seq"], (seq,))
    assert row is not None
    payload = run_payload(row, values, error)
    connection.execute(sql["insert_delivery"], (row["run_id"], row["webhook"], payload, 0, time))


def _ended_batch(connection: sqlite3.Connection, sql: Queries, batch_id: str) -> bytes | None:
    """What is told of a batch that has ended; None when it was deleted."""
    row = fetch_dict(connection, sql["batch"], (batch_id,))
    return None if row is None else orjson.dumps(read_batch(connection, sql, row))


def complete_deliveries(connection: sqlite3.Connection, sql: Queries, batch_id: str) -> None:
    """In front of the deletion of a batch: the calls for its end are made all the same."""
    for (delivery_id,) in connection.execute(sql["deliveries_of_batch"], (batch_id,)).fetchall():
        connection.execute(sql["complete_delivery"], (_ended_batch(connection, sql, batch_id), delivery_id))


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
        def work(connection: sqlite3.Connection) -> list[Delivery]:
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
                    payload=(batch_id and _ended_batch(connection, self._sql, batch_id)) or payload,
                )
                for delivery_id, attempt, url, run_id, payload, batch_id in rows
            ]

        return await self._database.write(work)

    async def finish(self, delivery_id: int, attempt: int, *, delivered: bool) -> None:
        await self._database.write(
            lambda connection: connection.execute(self._sql["finish_delivery"], (delivery_id, attempt)).rowcount
        )

    async def postpone(self, delivery_id: int, attempt: int, *, seconds: float, error: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            due = self._clock.now() + int(seconds * 1e6)
            connection.execute(
                self._sql["postpone_delivery"],
                {"delivery_id": delivery_id, "attempt": attempt, "due": due, "error": error},
            )

        await self._database.write(work)

    async def next_due(self) -> float | None:
        (due,) = self._database.read(lambda connection: connection.execute(self._sql["next_delivery_due"]).fetchone())
        return None if due is None else max(0.0, (due - self._clock.now()) / 1e6)
