"""A WebSocket of ASGI, as those who serve one want it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from runyard.handlers.http.responses import Response
from runyard.handlers.http.scope import Message, Receive, Scope, Send

POLICY: Final = 1008
RESTART: Final = 1012
"""Codes of closing: what came is not allowed; the server stops."""
REFUSED: Final = 4000
"""With the status that HTTP would have added: 4404 where that is 404. Pages cannot see the status of a handshake."""

_ABNORMAL: Final = 1006
_LONGEST_REASON: Final = 120
"""Bytes of the reason that is told when a connection is closed; the protocol allows 123."""


class Disconnected(Exception):
    """The connection is closed. `code`: why, as the other side says."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class WebSocket:
    """A connection, from its handshake on."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def accept(self) -> None:
        """Answers the handshake. Raises Disconnected."""
        await self._receive()  # the handshake itself
        await self._pass_on({"type": "websocket.accept"})

    async def receive(self) -> str | bytes:
        """What a text or a binary frame holds. Raises Disconnected."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Disconnected(message.get("code") or _ABNORMAL)
        text: str | None = message.get("text")
        data: bytes | None = message.get("bytes")
        return text if text is not None else data or b""

    async def send(self, text: str) -> None:
        """Sends a text frame; returns when there is room for another. Raises Disconnected."""
        await self._pass_on({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str = "") -> None:
        """Closes the connection, if it is not closed yet."""
        short = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        with suppress(Disconnected):
            await self._pass_on({"type": "websocket.close", "code": code, "reason": short})

    async def _pass_on(self, message: Message) -> None:
        try:
            await self._send(message)
        # uvicorn raises the one when the client has left, the other when it has itself given the client up.
        except (OSError, RuntimeError):
            raise Disconnected(_ABNORMAL) from None


async def deny(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a handshake with `response` instead of a connection; with 403 where the server can no other."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": POLICY})
        return

    async def send_as_denial(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    await receive()
    await response(scope, receive, send_as_denial)
