"""A pooler in transaction mode: each transaction of a client gets another of few sessions of the server.

More inconsiderate than a real one: a session is never given to the same client twice in a row while there is another,
and what a real one refuses is refused. Clients need no password here.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Awaitable, Callable

from psycopg.conninfo import conninfo_to_dict, make_conninfo

SSL_REQUEST, CANCEL_REQUEST, PROTOCOL = 80877103, 80877102, 196608
ACCEPTED = {"user", "database", "application_name", "client_encoding"}
"""Parameters of a start that poolers let pass."""
IDLE = b"I"
Message = tuple[bytes, bytes]
"""The kind, and all of it."""


class _Session:
    """A connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.greeting = b""


class TransactionPooler:
    """In front of the server at `address`, with so many sessions."""

    def __init__(self, address: str, sessions: int) -> None:
        self._given = conninfo_to_dict(address)
        self._count = sessions
        self._free: deque[_Session] = deque()
        self._returned = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self.transactions = 0
        self.refused: set[str] = set()
        """Parameters of starts that were refused."""

    @property
    def address(self) -> str:
        """The connection string that leads through it."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return make_conninfo("", **{**self._given, "host": "127.0.0.1", "port": str(port)})

    async def start(self) -> None:
        for _ in range(self._count):
            self._free.append(await self._connect())
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for session in self._free:
            session.writer.close()

    async def _connect(self) -> _Session:
        path = f"{self._given['host']}/.s.PGSQL.{self._given.get('port', 5432)}"
        session = _Session(*await asyncio.open_unix_connection(path))
        named = f"user\0{self._given['user']}\0database\0{self._given['dbname']}\0\0".encode()
        session.writer.write(struct.pack("!ii", len(named) + 8, PROTOCOL) + named)
        while True:
            kind, message = await _message(session.reader)
            if kind == b"S" or kind == b"R":
                session.greeting += message
            if kind == b"Z":
                return session

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said: asyncio.Queue[Message | None] = asyncio.Queue()
        listening = asyncio.create_task(_listen(reader, said, lambda: self._welcome(reader, writer)))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while (first := await said.get()) is not None:
                await self._transaction(first, said, writer)
        listening.cancel()
        writer.close()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        while True:
            (size,) = struct.unpack("!i", await reader.readexactly(4))
            body = await reader.readexactly(size - 4)
            (code,) = struct.unpack("!i", body[:4])
            if code == CANCEL_REQUEST:
                return False
            if code == PROTOCOL:
                break
            writer.write(b"N")  # no TLS, no GSS
        names = body[4:].decode().split("\0")[0:-2:2]
        self.refused |= set(names) - ACCEPTED
        if set(names) - ACCEPTED:
            return False
        key = struct.pack("!ciii", b"K", 12, 1, 1)
        writer.write(self._free[0].greeting + key + struct.pack("!cic", b"Z", 5, IDLE))
        return True

    async def _transaction(
        self, first: Message, said: asyncio.Queue[Message | None], writer: asyncio.StreamWriter
    ) -> None:
        """From the first message of a client to the moment at which the server is idle again."""
        async with self._returned:
            await self._returned.wait_for(lambda: bool(self._free))
            session = self._free.popleft()
        self.transactions += 1
        syncs = 0

        def pass_on(message: Message) -> None:
            nonlocal syncs
            syncs += message[0] in b"QS"
            session.writer.write(message[1])

        async def pass_all_on() -> None:
            while (message := await said.get()) is not None:
                pass_on(message)
            session.writer.close()  # the client has ended within the transaction

        pass_on(first)
        passing = asyncio.create_task(pass_all_on())
        try:
            while True:
                kind, message = await _message(session.reader)
                writer.write(message)
                syncs -= kind == b"Z"
                if kind == b"Z" and not syncs and message.endswith(IDLE) and said.empty():
                    break
        except asyncio.IncompleteReadError:
            said.put_nowait(None)
            session = await self._connect()
        finally:
            passing.cancel()
        async with self._returned:
            self._free.append(session)
            self._returned.notify()


async def _listen(
    reader: asyncio.StreamReader, said: asyncio.Queue[Message | None], welcome: Callable[[], Awaitable[bool]]
) -> None:
    """Puts what a client says into a queue, and None for its end."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        if await welcome():
            while (message := await _message(reader))[0] != b"X":
                said.put_nowait(message)
    said.put_nowait(None)


async def _message(reader: asyncio.StreamReader) -> Message:
    head = await reader.readexactly(5)
    (size,) = struct.unpack("!i", head[1:])
    return head[:1], head + await reader.readexactly(size - 4)
