"""The Unix socket that workers connect to."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.unix_socket import accept_worker
from runyard.runtime.config.settings import Settings

logger = logging.getLogger(__name__)

LONGEST_SOCKET_PATH = 100
"""Bytes that the system allows for the path of a Unix socket, with a margin."""
INTERVAL = 1.0
"""Seconds between looks at the file."""


class BusSocket:
    """Listens in the data directory, or in a temporary one where that path is too long.

    The file may be deleted (by who tidies up): workers that are connected do not mind, and for those that are still to
    come it is made anew.
    """

    def __init__(self, settings: Settings, bus: LinkedBus, loops: Loops) -> None:
        self._settings = settings
        self._bus = bus
        self._folder: Path | None = None
        self._server: asyncio.Server | None = None
        self._loop = BackgroundLoop("looking after the bus", self._look, loops)
        self.path = settings.data_dir.resolve() / "bus"

    async def start(self) -> None:
        """Listens. Raises OSError."""
        if len(os.fsencode(self.path)) > LONGEST_SOCKET_PATH:
            self._folder = Path(tempfile.mkdtemp(prefix="runyard-"))
            self.path = self._folder / "bus"
        await self._listen()
        self._loop.start()

    async def stop(self) -> None:
        """Listens no more."""
        await self._loop.stop()
        if self._server is not None:
            self._server.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _listen(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._server = await asyncio.get_running_loop().create_unix_server(
            partial(accept_worker, self._bus), str(self.path)
        )
        self.path.chmod(0o600)

    async def _look(self) -> float:
        if not self.path.exists():
            logger.warning("%s was deleted; it is made anew", self.path)
            before = self._server
            await self._listen()
            if before is not None:
                before.close()
        return INTERVAL
