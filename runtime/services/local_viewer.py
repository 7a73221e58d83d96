"""With `--workers 0`: views are answered by threads of the API process."""

from __future__ import annotations

import asyncio
from typing import Any

from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.services.view_threads import ViewThreads
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.telemetry.logs import keep_logging

STOP_TIMEOUT = 2.0
"""Seconds in which a view that is being answered may still end."""


class LocalViewer:
    """Loads the graphs when it is first asked."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._threads: ViewThreads | None = None
        self._loading = asyncio.Lock()

    async def ready(self) -> None:
        await self._loaded()

    async def ask(self, view: str, *arguments: Any) -> bytes:
        threads = await self._loaded()
        return await asyncio.wrap_future(threads.ask(view, arguments))

    async def _loaded(self) -> ViewThreads:
        async with self._loading:
            if self._threads is None:
                try:
                    self._threads = await asyncio.to_thread(self._load)
                except ConfigError as error:
                    raise Unavailable(error.detail) from error
        return self._threads

    async def stop(self) -> None:
        """Answers no more."""
        if self._threads is not None:
            await asyncio.to_thread(self._threads.stop, STOP_TIMEOUT)

    def _load(self) -> ViewThreads:
        from runyard.runtime.graphs.registry import Graphs
        from runyard.runtime.graphs.script_thread import like_a_main_thread
        from runyard.runtime.store.index import load_index

        graphs = Graphs(self._settings.project)
        with like_a_main_thread():
            graphs.load()
            index = load_index(self._settings.project)
        keep_logging()
        return ViewThreads(self._storage, graphs, self._settings.project, index)
