"""Serving a client only for as long as it is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from runyard.handlers.http.scope import Receive

OnDisconnect = Callable[[], Awaitable[None]]
"""Called when the client closes the connection before its response is complete."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Does `work` unless the client closes the connection first; then cancels it.

    Says whether the work was finished. Exceptions of the work are raised here.
    """

    async def wait_for_disconnect() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    working = asyncio.create_task(work)
    disconnected = asyncio.create_task(wait_for_disconnect())
    try:
        await asyncio.wait((working, disconnected), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        disconnected.cancel()
        working.cancel()
        await asyncio.gather(working, disconnected, return_exceptions=True)
