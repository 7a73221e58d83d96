"""Used idempotency keys, on Postgres. A row is written in the transaction that makes what it was used for."""

from runyard.generated.models import Thread
from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import pack_thread
from runyard.runtime.storage.port.idempotency import IdempotencyKey, KeptAnswer
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.shared.used_keys import keep_key
from runyard.runtime.storage.sql.queries import Queries


class PostgresIdempotency:
    """Keys as rows that are dropped some time later. How many bytes they take is read from an index."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def find(self, scope: Scope, key: str) -> KeptAnswer | None:
        parameters = {"creator": scope.identity, "key": key}
        row = await self._database.read(
            lambda connection: connection.execute(self._sql["find_key"], parameters).fetchone()
        )
        return None if row is None else KeptAnswer(*row)

    async def keep(self, scope: Scope, key: IdempotencyKey, thread: Thread) -> None:
        packed = pack_thread(thread)
        await self._database.write(lambda connection: keep_key(connection, self._sql, scope, key, packed))

    async def forget(self, older_than: float, most_bytes: int, limit: int) -> int:
        def work(connection: Connection) -> int:
            before = connection.now - int(older_than * 1e6)
            forgotten = connection.execute(self._sql["forget_keys"], (before, limit)).rowcount
            if forgotten < limit:
                more = {"most": most_bytes, "limit": limit - forgotten}
                forgotten += connection.execute(self._sql["forget_excess_keys"], more).rowcount
            return forgotten

        return await self._database.write(work)
