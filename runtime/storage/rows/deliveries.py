"""Webhook calls that are to be made, on every backend, as the rows that have them."""

import orjson

from runyard.runtime.storage.rows.batches import read_batch
from runyard.runtime.storage.rows.webhook_payloads import run_payload
from runyard.runtime.storage.sql.fetching import fetch_dict
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements


def add_delivery(
    connection: Statements,
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


def ended_batch(connection: Statements, sql: Queries, batch_id: str) -> bytes | None:
    """What is told of a batch that has ended; None when it was deleted."""
    row = fetch_dict(connection, sql["batch"], (batch_id,))
    return None if row is None else orjson.dumps(read_batch(connection, sql, row))


def complete_deliveries(connection: Statements, sql: Queries, batch_id: str) -> None:
    """In front of the deletion of a batch: the calls for its end are made all the same."""
    for (delivery_id,) in connection.execute(sql["deliveries_of_batch"], (batch_id,)).fetchall():
        connection.execute(sql["complete_delivery"], (ended_batch(connection, sql, batch_id), delivery_id))
