"""What Postgres' errors mean to those who asked for something."""

import psycopg
from psycopg import errors

from runyard.runtime.errors import Invalid, RunyardError, StorageUnavailable, Unanswered
from runyard.runtime.storage.postgres.database.exchange import NotKept

_PASSING = (
    NotKept,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
)


RETRY_AFTER = 2
"""Seconds."""


def unavailable(detail: str) -> StorageUnavailable:
    """The error for what may well succeed a little later."""
    error = StorageUnavailable(detail)
    error.retry_after = RETRY_AFTER
    return error


def unanswered() -> Unanswered:
    """The error for a commit that got no answer."""
    error = Unanswered("the database did not answer when a change was to be kept: it may have been")
    error.retry_after = RETRY_AFTER
    return error


def is_passing(error: Exception) -> bool:
    """Whether the same transaction, made again, may well succeed."""
    return isinstance(error, _PASSING)


def is_lost(error: Exception) -> bool:
    """Whether the connection is of no more use: nothing that was not committed was kept."""
    if isinstance(error, errors.IdleInTransactionSessionTimeout):
        return True
    return isinstance(error, psycopg.OperationalError) and (
        error.sqlstate is None or (error.sqlstate[:2] in ("08", "57") and not isinstance(error, errors.QueryCanceled))
    )


def translated(error: psycopg.Error) -> RunyardError | None:
    """The error as services raise it; None for what is a defect. What a driver says of a connection may name users and
    hosts, so it is not repeated; what the server says is."""
    if isinstance(error, errors.QueryCanceled):
        return unavailable("the database took too long to answer, and was asked to give it up; nothing was changed")
    if isinstance(error, errors.UntranslatableCharacter) or (
        isinstance(error, psycopg.DataError) and "NUL" in str(error)
    ):
        return Invalid("texts and metadata must not hold NUL characters: the database cannot keep them")
    if is_lost(error) or is_passing(error):
        return unavailable("the database cannot be reached, or has closed the connection; nothing was changed")
    if isinstance(error, psycopg.OperationalError):  # a full disk, too many connections, no memory
        said = error.diag.message_primary or type(error).__name__
        return unavailable(f"the database refused it ({said}); nothing was changed")
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return unavailable("the database is read-only now, as a standby is; nothing was changed")
    return None
