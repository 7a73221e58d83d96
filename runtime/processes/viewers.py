"""Starts the viewer process when something is to be looked at, and ends it when nothing is for a while."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import Unavailable
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.processes.viewer_process import ViewerProcess

IDLE_TIMEOUT: Final = 300.0
"""Seconds after the last view until the process ends."""


class Viewers:
    """At most one viewer process that is asked, and those that end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._spawner: WorkerSpawner | None = None
        self._current: ViewerProcess | None = None
        self._starting = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._stopping = False

    def start(self, spawner: WorkerSpawner) -> None:
        """Where processes come from; they are started when they are needed."""
        self._spawner = spawner

    @property
    def pid(self) -> int | None:
        """The process that is asked; None: nobody has asked for a while."""
        return None if self._current is None else self._current.pid

    async def ready(self) -> None:
        await self._viewer()
        self._await_idle()

    async def ask(self, view: str, *arguments: Any) -> bytes:
        viewer = await self._viewer()
        try:
            return await viewer.ask(view, arguments)
        finally:
            if viewer.ended or viewer.stuck:
                self._retire(viewer)
            self._await_idle()

    async def reload(self, settings: Settings) -> None:
        """Views are answered by a fresh process from now on: the project, or its code, has changed."""
        self._settings = settings
        async with self._starting:
            if self._current is not None:
                self._retire(self._current)

    async def stop(self) -> None:
        """Ends the process; what it was answering ends in Unavailable."""
        self._stopping = True
        if self._idle is not None:
            self._idle.cancel()
        if self._current is not None:
            self._retire(self._current)
        if self._ending:
            await asyncio.wait(self._ending)

    async def _viewer(self) -> ViewerProcess:
        async with self._starting:
            if self._stopping or self._spawner is None:
                raise Unavailable("The server is stopping.")
            if self._current is None or self._current.ended:
                if self._current is not None:
                    self._retire(self._current)
                viewer = ViewerProcess(self._settings)
                try:
                    await viewer.start(self._spawner)
                except BaseException:
                    self._retire(viewer)
                    raise
                self._current = viewer
            return self._current

    def _retire(self, viewer: ViewerProcess) -> None:
        if viewer is self._current:
            self._current = None
        if not viewer.retired:
            viewer.retired = True
            task = asyncio.create_task(viewer.end(), name="end a viewer")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _await_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_TIMEOUT, self._end_idle)

    def _end_idle(self) -> None:
        if self._current is None:
            return
        if self._current.busy:
            self._await_idle()
        else:
            self._retire(self._current)
