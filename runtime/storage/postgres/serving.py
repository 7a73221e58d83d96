"""Who may begin to use a database: servers and imports keep each other away, and so do servers that encrypt and those
that do not.

A server has a lease from the transaction on in which it finds nobody in its way, and an import looks for leases behind
a lock that this transaction takes as well: so none of two that begin at the same time overlooks the other.
"""

from __future__ import annotations

from typing import Final

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.postgres.database.connection import LONGEST_STATEMENT, Connection, lock_of
from runyard.runtime.storage.postgres.database.plain_fence import encryption_lock
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.workers.worker_leases import WorkerLeases
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries

STOP_FIRST: Final = "stop them first. What was killed counts as running until its lease has ended"


def begin_to_use(
    connection: Connection, target: Target, sql: Queries, leases: WorkerLeases, *, serves: bool, encrypted: bool
) -> None:
    """Lets a process use the database, in a transaction of its own. `serves`: it is a server, and has a lease from now
    on. `encrypted`: there are encrypted values from now on. Raises ConfigError when it must not: an import is
    under way, it holds what this process could not read, or servers live that would add what is not encrypted."""
    asked = seconds_since_boot()
    connection.begin(seconds=LONGEST_STATEMENT, locks=[encryption_lock(target)])
    if serves and not one(connection, "select pg_try_advisory_xact_lock_shared(%s)", (import_lock(target),))[0]:
        raise ConfigError(f"{target}: `runyard import` moves what is there; start when it has ended")
    marked = connection.execute(sql["encrypted_since"]).fetchone() is not None
    if marked and not encrypted:
        raise ConfigError(
            f"{target}: what it holds is encrypted, and langgraph.json names no encryption that could read it; name "
            "the project's encryption, or choose another database or schema"
        )
    if encrypted and not marked:
        if plain := connection.execute(sql["plain_places"]).fetchall():
            raise ConfigError(f"{target}: servers without encryption use it ({_named(plain)}); {STOP_FIRST}")
        connection.execute(sql["mark_encrypted"])
    leases.begin(encrypted=encrypted, asked=asked if serves else None)
    if serves:
        leases.serve(connection)
    connection.commit()


def keep_servers_away(guard: Connection, target: Target, sql: Queries) -> None:
    """From now on until the end of the transaction of `guard` no server begins with the database, and no other import.
    Raises ConfigError when one uses it."""
    if not one(guard, "select pg_try_advisory_xact_lock(%s)", (import_lock(target),))[0]:
        raise ConfigError(f"{target}: another import from it or into it is under way")
    if places := guard.execute(sql["places"]).fetchall():
        raise ConfigError(f"{target}: servers use it ({_named(places)}); {STOP_FIRST}")


def import_lock(target: Target) -> int:
    """Held by an import for as long as it takes, and by servers while they begin."""
    return lock_of(f"runyard import {target.schema or ''}")


def _named(places: list[tuple[str, ...]]) -> str:
    return ", ".join(sorted({f"{host}, {server}" for host, server, *_ in places}))
