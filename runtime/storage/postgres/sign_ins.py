"""Browsers whose users have signed in, on Postgres."""

from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.postgres.database import Database
from runyard.runtime.storage.queries import Queries


class PostgresSignIns:
    """See `SignInStorage`."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def begin(self, digest: bytes, sealed: bytes, *, lifetime: float, most: int) -> None:
        def work(connection: Connection) -> None:
            connection.execute(self._sql["drop_ended_sign_ins"], {"now": connection.now})
            values = {"digest": digest, "sealed": sealed, "expires_at": connection.now + int(lifetime * 1e6)}
            connection.execute(self._sql["begin_sign_in"], values)
            connection.execute(self._sql["drop_excess_sign_ins"], {"most": most})

        await self._database.write(work)

    async def find(self, digest: bytes) -> bytes | None:
        row = await self._database.read(
            lambda connection: connection.execute(self._sql["find_sign_in"], {"digest": digest}).fetchone()
        )
        return None if row is None else row[0]

    async def end(self, digest: bytes) -> None:
        await self._database.write_one(self._sql["end_sign_in"], {"digest": digest})
