"""A link within one process, for `--workers 0`."""

import asyncio
from collections.abc import Callable
from typing import Any

from runyard.runtime.bus.messages import Message


class LocalLink:
    """One end of a link whose messages arrive in a later turn of the event loop."""

    def __init__(self, deliver: Callable[[Message], None]) -> None:
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()

    def send(self, *message: Any) -> None:
        self._loop.call_soon(self._deliver, message)

    def close(self) -> None:
        pass
