"""The fence in front of what a worker writes: its lease must still hold, in the same transaction."""

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import CancelAction
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection


def holds(connection: Connection, sql: Queries, lease: Lease) -> bool:
    """Whether the run is still leased by that claim."""
    return _check(connection, sql, lease) is not None


def requested_cancel(connection: Connection, sql: Queries, lease: Lease) -> CancelAction | None:
    """What was asked of a run whose lease holds. Raises LeaseLost."""
    row = _check(connection, sql, lease)
    if row is None:
        raise lease_lost(lease)
    return row[0]


def _check(connection: Connection, sql: Queries, lease: Lease) -> tuple[CancelAction | None] | None:
    named = (lease.seq, lease.worker, lease.attempt, lease.token)
    row: tuple[CancelAction | None] | None = connection.execute(sql["check_lease"], named).fetchone()
    return row


def lease_lost(lease: Lease) -> LeaseLost:
    """The error for a write whose lease does not hold."""
    return LeaseLost(f"run {lease.run_id}: the lease of {lease.worker} no longer holds")
