"""The response to a request that waits for a run: JSON, after newlines that keep the connection alive."""

from __future__ import annotations

from typing import Protocol

from runyard.handlers.http.disconnect import OnDisconnect, while_connected
from runyard.handlers.http.responses import JSON, KEEP_ALIVE, BodyResponse
from runyard.handlers.http.scope import Header, Receive, Scope, Send

QUICK_RESULT_TIMEOUT = 0.05
"""Seconds within which a result is answered in one piece. After them the headers are sent, ahead of the result."""


class ResultWaiter(Protocol):
    """Waits for the result of a run."""

    async def result(self, timeout: float) -> bytes | None:
        """The result as JSON; None when the run has not ended within `timeout` seconds."""

    async def close(self) -> None:
        """Ends the waiting, whether or not the run has ended."""


class JsonWait:
    """The response that sends the result of `waiter` as soon as there is one, and then closes it."""

    __slots__ = ("headers", "on_disconnect", "waiter")

    def __init__(self, waiter: ResultWaiter, headers: list[Header], on_disconnect: OnDisconnect | None = None) -> None:
        self.waiter = waiter
        self.headers = [JSON, *headers]
        self.on_disconnect = on_disconnect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            result = await self.waiter.result(QUICK_RESULT_TIMEOUT)
            if result is not None:
                await BodyResponse(200, result, self.headers)(scope, receive, send)
            elif not await while_connected(receive, self._send_late(send)) and self.on_disconnect is not None:
                await self.on_disconnect()
        finally:
            await self.waiter.close()

    async def _send_late(self, send: Send) -> None:
        # The headers name the run, so that a client can look at it, or cancel it, while it waits.
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        while (result := await self.waiter.result(KEEP_ALIVE)) is None:
            await send({"type": "http.response.body", "body": b"\n", "more_body": True})
        await send({"type": "http.response.body", "body": result})
