"""The bus over a Unix domain socket.

On the wire: 4 bytes little-endian length, then a msgpack list of messages; one frame carries all that was sent in
one turn of the event loop.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import msgspec

from runyard.runtime.bus.early import EarlyMessages
from runyard.runtime.bus.encoding import encode
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.messages import FROM_WORKER, TO_WORKER, FromWorker, Message, ToWorker

LENGTH = 4
"""Bytes of a frame's length."""

Sent = TypeVar("Sent", bound=Message)
Received = TypeVar("Received", bound=Message)


class SocketLink(asyncio.Protocol, Generic[Sent, Received]):
    """One end of a connection. `lost` is called when it has ended, whoever ended it."""

    def __init__(
        self,
        decoder: "msgspec.msgpack.Decoder[list[Received]]",
        receive: Callable[["SocketLink[Sent, Received]", Received], None],
        lost: Callable[["SocketLink[Sent, Received]"], None],
    ) -> None:
        self._decoder = decoder
        self._receive = receive
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._out: list[Sent] = []
        self._in = bytearray()

    def send(self, message: Sent) -> None:
        """Sends a message, in order; never blocks. After `close`, nothing is sent any more."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(message)

    def close(self) -> None:
        """Sends what is left and ends the connection."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self._transport is not None and not self._transport.is_closing():
            body = encode(out)
            self._transport.write(len(body).to_bytes(LENGTH, "little") + body)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say so itself

    def data_received(self, data: bytes) -> None:
        self._in += data
        start, size = 0, len(self._in)
        while size - start >= LENGTH:
            end = start + LENGTH + int.from_bytes(self._in[start : start + LENGTH], "little")
            if size < end:
                break
            for message in self._decoder.decode(self._in[start + LENGTH : end]):
                self._receive(self, message)
            start = end
        del self._in[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)


def accept_worker(bus: LinkedBus) -> SocketLink[ToWorker, FromWorker]:
    """The API process's end of a worker's new connection: the factory for a listening socket."""
    link: SocketLink[ToWorker, FromWorker] = SocketLink(FROM_WORKER, bus.receive, bus.detach)
    bus.attach(link)
    return link


class SocketWorkerBus:
    """A `WorkerBus`."""

    def __init__(self, lost: Callable[[], None]) -> None:
        """`lost`: the connection has ended."""
        self._early = EarlyMessages()
        self._link: SocketLink[FromWorker, ToWorker] = SocketLink(
            TO_WORKER, lambda _, message: self._early.receive(message), lambda _: lost()
        )

    async def connect(self, path: str) -> socket.socket:
        """Connects to the API process. Raises OSError."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_unix_connection(lambda: self._link, path)
        connection: socket.socket = transport.get_extra_info("socket")
        return connection

    def listen(self, receive: Callable[[ToWorker], None]) -> None:
        self._early.listen(receive)

    def send(self, message: FromWorker) -> None:
        self._link.send(message)

    def close(self) -> None:
        self._link.close()
