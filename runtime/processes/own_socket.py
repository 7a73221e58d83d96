"""Unix sockets of the API process for the server's other processes."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops

logger = logging.getLogger(__name__)

LONGEST_SOCKET_PATH = 100
"""Bytes that the system allows for the path of a Unix socket, with a margin."""
INTERVAL = 1.0
"""Seconds between looks at the file."""


class OwnSocket:
    """Listens in the server's folder, or in a temporary one where that path is too long.

    The file may be deleted (by who tidies up): those that are connected do not mind, and for those that are still to
    come it is made anew.
    """

    def __init__(self, folder: Path, name: str, loops: Loops) -> None:
        """`name`: that of the file."""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: asyncio.Server | None = None
        self._accept: Callable[[], asyncio.BaseProtocol] | None = None
        self._loop = BackgroundLoop(f"looking after the socket {name}", self._look, loops)
        self.path = folder / name
        if len(os.fsencode(self.path)) > LONGEST_SOCKET_PATH:
            self._folder = tempfile.TemporaryDirectory(prefix="runyard-", ignore_cleanup_errors=True)
            self.path = Path(self._folder.name) / name

    async def start(self, accept: Callable[[], asyncio.BaseProtocol]) -> None:
        """Listens; `accept` makes the protocol of each connection. Raises OSError."""
        self._accept = accept
        await self._listen()
        self._loop.start()

    async def stop(self) -> None:
        """Listens no more."""
        await self._loop.stop()
        if self._server is not None:
            self._server.close()
        if self._folder is not None:
            self._folder.cleanup()

    async def _listen(self) -> None:
        assert self._accept is not None
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._server = await asyncio.get_running_loop().create_unix_server(self._accept, str(self.path))
        self.path.chmod(0o600)

    async def _look(self) -> float:
        if not self.path.exists():
            logger.warning("%s was deleted; it is made anew", self.path)
            before = self._server
            await self._listen()
            if before is not None:
                before.close()
        return INTERVAL
