"""A connection to Postgres that is used from an event loop, for statements that answer nothing and for what others
notify. It waits for nothing that may never come: an answer that is late ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, ExecStatus

from runyard.runtime.errors import Unavailable

APPLICATION = "runyard-bus"
"""What such connections are called in the database's list of sessions."""
CONNECT_TIMEOUT = 10.0
"""Seconds."""
ANSWER_TIMEOUT = 5.0
"""Seconds for which an answer is waited for."""


class Wire:
    """One connection; one statement at a time."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._connection = connection  # it is closed with its object
        self._pg = connection.pgconn
        self._pg.nonblocking = 1
        self._socket = self._pg.socket
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[None] | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Raises Unavailable once the connection is lost."""
        self.notified: Callable[[str, bytes], None] = lambda channel, payload: None
        """Is called with the channel and the payload of each notification."""
        self._loop.add_reader(self._socket, self._readable)

    @classmethod
    async def open(cls, url: str) -> Wire:
        """Raises Unavailable, which does not say where it went wrong: what a driver says may name users and hosts."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                connection = await psycopg.AsyncConnection.connect(
                    make_conninfo(url, application_name=APPLICATION), autocommit=True, prepare_threshold=None
                )
        except (psycopg.Error, OSError, TimeoutError):
            raise Unavailable("the database cannot be reached") from None
        return cls(connection)

    async def execute(self, statement: bytes, parameters: Sequence[bytes] = ()) -> bytes | None:
        """Returns when the statement is done; the first value of what it answers, as text. Raises Unavailable when it
        fails, or nothing is heard of it."""
        if self.ended.done():
            raise Unavailable("the connection to the database is closed")
        self._answer = answer = self._loop.create_future()
        self._value: bytes | None = None
        try:
            self._pg.send_query_params(statement, parameters)
            self._flush()
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await answer
        except TimeoutError:
            self._end("the database does not answer")
            raise Unavailable("the database does not answer") from None
        except psycopg.Error:
            self._end("the connection to the database was lost")
            raise Unavailable("the connection to the database was lost") from None
        finally:
            self._answer = None
        return self._value

    def close(self) -> None:
        """Ends the connection."""
        self._end("the connection to the database is closed")

    def _flush(self) -> None:
        """Writes as much as the socket takes; the rest when it takes more."""
        try:
            more = self._pg.flush()
        except psycopg.Error:
            self._end("the connection to the database was lost")
            return
        if more:
            self._loop.add_writer(self._socket, self._flush)
        else:
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            self._pg.consume_input()
            self._read_answer()
            while (notify := self._pg.notifies()) is not None:
                self.notified(notify.relname.decode(), notify.extra)
        except psycopg.Error:
            self._end("the connection to the database was lost")

    def _read_answer(self) -> None:
        while self._answer is not None and not self._answer.done() and not self._pg.is_busy():
            result = self._pg.get_result()
            if result is None:
                self._answer.set_result(None)
            elif result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
                said = result.error_field(ord("M")) or b"an error"
                self._end(f"the database refused a message: {said.decode(errors='replace')}")
            elif result.ntuples:
                self._value = result.get_value(0, 0)
        if self._pg.status == ConnStatus.BAD:
            self._end("the connection to the database was lost")

    def _end(self, why: str) -> None:
        if self.ended.done():
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        error = Unavailable(why)
        self.ended.set_exception(error)
        self.ended.exception()  # it was seen, also where nobody waits
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._pg.finish()
