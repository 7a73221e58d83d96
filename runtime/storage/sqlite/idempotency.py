"""Used idempotency keys, on SQLite. A row is written in the transaction that makes what it was used for."""

from runyard.generated.models import Thread
from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import pack_thread
from runyard.runtime.storage.port.idempotency import IdempotencyKey, KeptAnswer
from runyard.runtime.storage.shared.used_keys import keep_key
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database

_WHENEVER = 2**62
"""A time after all others."""


class SqliteIdempotency:
    """Keys as rows that are dropped some time later. How many bytes they take is kept by triggers."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def find(self, scope: Scope, key: str) -> KeptAnswer | None:
        parameters = {"creator": scope.identity, "key": key}
        row = self._database.read_here(
            lambda connection: connection.execute(self._sql["find_key"], parameters).fetchone()
        )
        return None if row is None else KeptAnswer(*row)

    async def keep(self, scope: Scope, key: IdempotencyKey, thread: Thread) -> None:
        packed = pack_thread(thread)
        await self._database.write(lambda connection: keep_key(connection, self._sql, scope, key, packed))

    async def forget(self, older_than: float, most_bytes: int, limit: int) -> int:
        def work(connection: Connection) -> int:
            before = now() - int(older_than * 1e6)
            forgotten: int = connection.execute(self._sql["forget_keys"], (before, limit)).rowcount
            while forgotten < limit and connection.execute(self._sql["size_of_keys"]).fetchone()[0] > most_bytes:
                forgotten += connection.execute(self._sql["forget_keys"], (_WHENEVER, 1)).rowcount
            return forgotten

        return await self._database.write(work)
