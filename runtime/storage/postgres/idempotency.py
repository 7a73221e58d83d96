"""Used idempotency keys, on Postgres."""

from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.shared.idempotency import Idempotency


class PostgresIdempotency(Idempotency[Connection]):
    """How many bytes keys take is read from an index."""

    def _forget_excess(self, connection: Connection, most_bytes: int, limit: int) -> int:
        return connection.execute(self._sql["forget_excess_keys"], {"most": most_bytes, "limit": limit}).rowcount
