"""Browsers whose users have signed in, on SQLite."""

import sqlite3

from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.connection import now
from runyard.runtime.storage.sqlite.database import Database


class SqliteSignIns:
    """See `SignInStorage`."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def begin(self, digest: bytes, sealed: bytes, *, lifetime: float, most: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            moment = now()
            connection.execute(self._sql["drop_ended_sign_ins"], {"now": moment})
            values = {"digest": digest, "sealed": sealed, "expires_at": moment + int(lifetime * 1e6)}
            connection.execute(self._sql["begin_sign_in"], values)
            connection.execute(self._sql["drop_excess_sign_ins"], {"most": most})

        await self._database.write(work)

    async def find(self, digest: bytes) -> bytes | None:
        parameters = {"digest": digest, "now": now()}
        row = await self._database.read(
            lambda connection: connection.execute(self._sql["find_sign_in"], parameters).fetchone()
        )
        return None if row is None else row[0]

    async def end(self, digest: bytes) -> None:
        await self._database.write(
            lambda connection: connection.execute(self._sql["end_sign_in"], {"digest": digest}).rowcount
        )
