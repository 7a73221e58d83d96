"""Waiting for a database that may be started at the same time as those who use it, and why one refuses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator

import psycopg
from psycopg import errors

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.target import Target

logger = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds."""
PAUSE = 1.0
"""Seconds between attempts."""
SAID_EVERY = 10.0
"""Seconds between log lines."""
REFUSALS = {
    "root certificate file": "the file that sslrootcert names cannot be read",
    "authentication failed": "it refuses the user or the password",
    "no password supplied": "it asks for a password, and the address has none",
    "no pg_hba.conf entry": "its pg_hba.conf does not let this user in from here, or not with this sslmode",
    'fatal:  database "': "it has no such database, or one that accepts no connections; `create database` makes one",
    "no such database": "the pooler has no such database",
    "no such user": "the pooler has no such user",
    "does not exist": "it has no such user",
    "permission denied for database": "this user may not connect to that database",
    "not permitted to log in": "this user may not log in",
    "does not support ssl": "it has no TLS, which sslmode asks for",
    "certificate verify failed": "its certificate is not signed by what sslrootcert trusts",
    "does not match host name": "its certificate is for another host name",
}
"""What is in a driver's message, which may name users and so is not repeated, and what it means. The first counts."""

HINDRANCES = {
    "too many clients": "it has no connection left: raise max_connections, or see who holds them",
    "remaining connection slots": "it has no connection left: raise max_connections, or see who holds them",
    "too many connections": "it has no connection left for this user or database, which have a limit of their own",
    "starting up": "it is starting up",
    "shutting down": "it is shutting down",
    "name or service not known": "the host's name is not known",
    "name resolution": "the host's name is not known right now",
    "timeout expired": "nothing answers there",
}
"""What keeps it from accepting connections for now, likewise."""
UNKNOWN_HINDRANCE = "see whether the server runs, and whether the address is right"


def connect(target: Target) -> Connection:
    """Raises ConfigError, also when the database is only away."""
    try:
        return Connection(target)
    except psycopg.OperationalError as error:
        raise _refused(target, error) from None


async def reach(target: Target) -> None:
    """Returns when the database accepts connections. Raises ConfigError when it refuses this one, or is still away
    after a minute."""
    begun, said = time.monotonic(), 0.0
    while True:
        try:
            await asyncio.to_thread(lambda: Connection(target).close())
        except psycopg.OperationalError as error:
            now = time.monotonic()
            if _reason(error) is not None or now - begun > LONGEST_WAIT:
                raise _refused(target, error) from None
            if now - said > SAID_EVERY:
                said = now
                logger.warning(
                    "%s cannot be reached; waiting for it (%s)", target, hindrance(error) or UNKNOWN_HINDRANCE
                )
            await asyncio.sleep(PAUSE)
        else:
            return


@contextlib.contextmanager
def explained(target: Target) -> Iterator[None]:
    """What the server refuses a user who lacks rights, and everybody while it is a standby, becomes a ConfigError that
    says so."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise ConfigError(
            f"{target}: {error.diag.message_primary}; have a user serve who owns the tables, or grant this one what "
            "the guide to Postgres names under Migrations"
        ) from None
    except errors.ReadOnlySqlTransaction:
        raise ConfigError(
            f"{target}: it is read-only, as a standby is; name the primary, or several hosts and "
            "target_session_attrs=read-write"
        ) from None


def _reason(error: psycopg.OperationalError) -> str | None:
    """Why the database refuses a connection; None where it may accept one later."""
    return _meaning(error, REFUSALS)


def hindrance(error: psycopg.OperationalError) -> str | None:
    """What keeps the database from accepting connections for now, if its words are known."""
    return _meaning(error, HINDRANCES)


def _meaning(error: psycopg.OperationalError, meanings: dict[str, str]) -> str | None:
    said = str(error).lower()
    return next((meaning for words, meaning in meanings.items() if words in said), None)


def _refused(target: Target, error: psycopg.OperationalError) -> ConfigError:
    reason = _reason(error)
    if reason is None:
        return ConfigError(f"{target}: cannot be reached; {hindrance(error) or UNKNOWN_HINDRANCE}")
    return ConfigError(f"{target}: cannot be connected to: {reason}")
