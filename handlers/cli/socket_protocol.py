"""uvicorn's protocol for WebSockets."""

from __future__ import annotations

import logging
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

logger: Final = logging.getLogger(__name__)
logger.setLevel(logging.WARNING)  # it would tell of each connection


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection. It is asked every 20 seconds whether it is still there, and given up after as many.

    When the server stops, and its runs have ended or are back in the queue, it is closed with 1012, "service restart":
    clients connect again and go on behind the last event. With 1001, which other servers send, the Python client takes
    the stream for complete.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = logger
