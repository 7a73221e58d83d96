"""Loads `Views` when it is first needed: LangGraph and the user's graphs take memory and seconds."""

import asyncio
from typing import TYPE_CHECKING

from runyard.runtime.config.langgraph_json import Project
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.port.storage import Storage

if TYPE_CHECKING:
    from runyard.runtime.services.views import Views


class LazyViews:
    """One `Views`, made once, in a thread: requests are answered meanwhile."""

    def __init__(self, storage: Storage, project: Project) -> None:
        self._storage = storage
        self._project = project
        self._views: Views | None = None
        self._loading = asyncio.Lock()

    async def get(self) -> "Views":
        """Raises Unavailable when a graph cannot be loaded (any more)."""
        async with self._loading:
            if self._views is None:
                try:
                    self._views = await asyncio.to_thread(self._load)
                except ConfigError as error:
                    raise Unavailable(error.detail) from error
        return self._views

    def _load(self) -> "Views":
        from runyard.runtime.services.views import load_views

        return load_views(self._storage, self._project)
