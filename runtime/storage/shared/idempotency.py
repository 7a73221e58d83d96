"""Used idempotency keys, on every backend. A row is written in the transaction that makes what it was used for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from runyard.generated.models import Thread
from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import pack_thread
from runyard.runtime.storage.port.idempotency import IdempotencyKey, KeptAnswer
from runyard.runtime.storage.shared.used_keys import keep_key
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements

C = TypeVar("C", bound=Statements)


class Idempotency(ABC, Generic[C]):
    """Keys as rows that are dropped some time later."""

    def __init__(self, database: Database[C], queries: Queries) -> None:
        self._database = database
        self._sql = queries

    @abstractmethod
    def _forget_excess(self, connection: C, most_bytes: int, limit: int) -> int:
        """Drops up to `limit` of the oldest keys while all take more than so many bytes; how many."""

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
        def work(connection: C) -> int:
            before = connection.now - int(older_than * 1e6)
            forgotten = connection.execute(self._sql["forget_keys"], (before, limit)).rowcount
            if forgotten < limit:
                forgotten += self._forget_excess(connection, most_bytes, limit - forgotten)
            return forgotten

        return await self._database.write(work)
