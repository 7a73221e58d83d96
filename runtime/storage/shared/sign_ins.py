"""Browsers whose users have signed in, on every backend."""

from __future__ import annotations

from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements


class SignIns:
    """See `SignInStorage`."""

    def __init__(self, database: Database[Statements], queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def begin(self, digest: bytes, sealed: bytes, *, seconds: float, most: int) -> None:
        def work(connection: Statements) -> None:
            time = connection.now
            connection.execute(self._sql["drop_ended_sign_ins"], {"now": time})
            values = {"digest": digest, "sealed": sealed, "expires_at": time + int(seconds * 1e6)}
            connection.execute(self._sql["begin_sign_in"], values)
            connection.execute(self._sql["drop_excess_sign_ins"], {"most": most})

        await self._database.write(work)

    async def find(self, digest: bytes) -> bytes | None:
        row = await self._database.read(
            lambda connection: connection.execute(self._sql["find_sign_in"], {"digest": digest}).fetchone()
        )
        return None if row is None else row[0]

    async def end(self, digest: bytes) -> None:
        await self._database.write(
            lambda connection: connection.execute(self._sql["end_sign_in"], {"digest": digest}).rowcount
        )
