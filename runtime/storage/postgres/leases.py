"""The fence in front of what a worker writes: its lease must still hold, in the same transaction.

The row of the run is locked, so that nobody takes the lease before the commit."""

from collections.abc import Mapping

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import CancelAction
from runyard.runtime.storage.postgres.database.arrays import Packed, integers, texts
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.sql.queries import Queries


def holds(connection: Connection, sql: Queries, lease: Lease) -> bool:
    """Whether the run is leased by that claim now."""
    named = (lease.seq, lease.worker, lease.attempt, lease.token)
    return connection.execute(sql["lease_holds"], named).fetchone() is not None


def requested_cancel(connection: Connection, sql: Queries, lease: Lease) -> CancelAction | None:
    """What was asked of a run whose lease holds. Raises LeaseLost."""
    row = _check(connection, sql, lease)
    if row is None:
        raise lease_lost(lease)
    return row[0]


def places_of_held(connection: Connection, sql: Queries, leases: Mapping[int, Lease]) -> set[int]:
    """Of leases by a number, maybe none, the numbers of those that hold."""
    if not leases:
        return set()
    return {place for (place,) in connection.execute(sql["check_leases"], named_leases(leases))}


def named_leases(leases: Mapping[int, Lease]) -> dict[str, Packed]:
    """Leases by a number, as parameters."""
    return {
        "places": integers(leases),
        "seqs": integers(lease.seq for lease in leases.values()),
        "workers": texts(lease.worker for lease in leases.values()),
        "attempts": integers(lease.attempt for lease in leases.values()),
        "tokens": integers(lease.token for lease in leases.values()),
    }


def _check(connection: Connection, sql: Queries, lease: Lease) -> tuple[CancelAction | None] | None:
    named = (lease.seq, lease.worker, lease.attempt, lease.token)
    row: tuple[CancelAction | None] | None = connection.execute(sql["check_lease"], named).fetchone()
    return row


def lease_lost(lease: Lease) -> LeaseLost:
    """The error for a write whose lease does not hold."""
    return LeaseLost(f"run {lease.run_id}: the lease of {lease.worker} no longer holds")
