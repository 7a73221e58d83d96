"""Waiting for a database that may be started at the same time as those who use it, and why one refuses."""

from __future__ import annotations

import asyncio
import logging
import time

import psycopg

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
    "password authentication failed": "it refuses the user or the password",
    "no password supplied": "it asks for a password, and the address has none",
    "no pg_hba.conf entry": "its pg_hba.conf does not let this user in from here, or not with this sslmode",
    "does not exist": "it has no such user or database",
    "does not support ssl": "it has no TLS, which sslmode asks for",
    "certificate verify failed": "its certificate is not signed by what sslrootcert trusts",
    "does not match host name": "its certificate is for another host name",
}
"""What is in a driver's message, which may name users and so is not repeated, and what it means. The first counts."""


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
                logger.warning("%s cannot be reached; waiting for it", target)
            await asyncio.sleep(PAUSE)
        else:
            return


def _reason(error: psycopg.OperationalError) -> str | None:
    """Why the database refuses a connection; None where it may accept one later."""
    said = str(error).lower()
    return next((meaning for words, meaning in REFUSALS.items() if words in said), None)


def _refused(target: Target, error: psycopg.OperationalError) -> ConfigError:
    reason = _reason(error)
    if reason is None:
        return ConfigError(
            f"{target}: cannot be reached; see whether the server runs, and whether the address is right"
        )
    return ConfigError(f"{target}: cannot be connected to: {reason}")
