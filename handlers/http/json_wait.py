"""The answer to a request that waits for a run: JSON, after newlines that keep the connection alive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from runyard.handlers.http.disconnect import while_connected
from runyard.handlers.http.responses import JSON, Answer, Header, Receive, Scope, Send

if TYPE_CHECKING:
    from runyard.runtime.streams.subscriptions import ResultWaiter

KEEP_ALIVE = 5.0
"""Seconds of silence after which a newline is sent: clients and proxies give up on silent connections."""

_AT_ONCE = 0.05
"""Seconds within which a result is answered in one piece; later ones are announced by their headers first."""


class WaitingAnswer:
    """Answers with the result of `pending` as soon as there is one.

    `on_gone` is called when the client closes the connection before that.
    """

    __slots__ = ("headers", "on_gone", "pending")

    def __init__(
        self, pending: ResultWaiter, headers: list[Header], on_gone: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.pending = pending
        self.headers = [JSON, *headers]
        self.on_gone = on_gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            result = await self.pending.result(_AT_ONCE)
            if result is not None:
                await Answer(200, result, self.headers)(scope, receive, send)
            elif not await while_connected(receive, self._wait(send)) and self.on_gone is not None:
                await self.on_gone()
        finally:
            await self.pending.close()

    async def _wait(self, send: Send) -> None:
        # The headers name the run, so that a client can look at it, or cancel it, while it waits.
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        while (result := await self.pending.result(KEEP_ALIVE)) is None:
            await send({"type": "http.response.body", "body": b"\n", "more_body": True})
        await send({"type": "http.response.body", "body": result})
