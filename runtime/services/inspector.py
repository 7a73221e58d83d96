"""What the API process does with LangGraph: it looks at graphs and at checkpoints, and stages edits of states.

Executing is the workers' business, so a server that only takes and answers runs never needs any of this: LangGraph
and the user's graphs, which take memory and seconds, are imported when they are first asked for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.telemetry.logs import keep_logging

if TYPE_CHECKING:
    from runyard.runtime.checkpoints.thread_states import StoredStates
    from runyard.runtime.graphs.registry import Graphs
    from runyard.runtime.graphs.schemas import GraphSchemas
    from runyard.runtime.store.opening import LateStore


@dataclass(frozen=True, slots=True)
class Inspection:
    """The project's graphs, loaded, with what can be learnt of them and of the states that they left."""

    graphs: Graphs
    schemas: GraphSchemas
    states: StoredStates


class Inspector:
    """Loads one `Inspection`, in a pool thread: requests are answered meanwhile."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage = storage
        self._settings = settings
        self._store: LateStore | None = None
        self._inspection: Inspection | None = None
        self._loading = asyncio.Lock()

    async def loaded(self) -> Inspection:
        """The inspection, after loading it the first time. Raises Unavailable when a graph cannot be
        loaded (any more)."""
        async with self._loading:
            if self._inspection is None:
                try:
                    self._inspection = await asyncio.to_thread(self._load)
                except ConfigError as error:
                    raise Unavailable(error.detail) from error
        return self._inspection

    async def reload(self, project: Project) -> None:
        """Forgets what it knows: the project, or its code, has changed."""
        async with self._loading:
            self._settings = replace(self._settings, project=project)
            if self._inspection is not None:
                self._inspection = None
                await asyncio.to_thread(_forget_code, project)

    async def stop(self) -> None:
        """Closes the store, if a factory has asked for it."""
        if self._store is not None:
            await self._store.close()

    def _load(self) -> Inspection:
        from runyard.runtime.checkpoints.thread_states import StoredStates
        from runyard.runtime.graphs.registry import Graphs
        from runyard.runtime.graphs.schemas import GraphSchemas
        from runyard.runtime.graphs.script_thread import like_a_main_thread
        from runyard.runtime.store.opening import LateStore

        if self._store is None:
            self._store = LateStore(self._settings)
        graphs = Graphs(self._settings.project, self._store.opened)
        with like_a_main_thread():
            graphs.load()
        keep_logging()
        return Inspection(graphs, GraphSchemas(graphs), StoredStates(self._storage.checkpoints, graphs))


def _forget_code(project: Project) -> None:
    from runyard.runtime.graphs.loading import forget_modules

    forget_modules(project)
