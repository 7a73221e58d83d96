"""Used idempotency keys, on SQLite."""

from runyard.runtime.storage.shared.idempotency import Idempotency
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sqlite.database.connection import Connection

_WHENEVER = 2**62
"""A time after all others."""


class SqliteIdempotency(Idempotency[Connection]):
    """How many bytes keys take is kept by triggers."""

    def _forget_excess(self, connection: Connection, most_bytes: int, limit: int) -> int:
        forgotten = 0
        while forgotten < limit and one(connection, self._sql["size_of_keys"])[0] > most_bytes:
            forgotten += connection.execute(self._sql["forget_keys"], (_WHENEVER, 1)).rowcount
        return forgotten
