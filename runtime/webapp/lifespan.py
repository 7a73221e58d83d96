"""What an ASGI application does before the first request, and after the last (its lifespan)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from runyard.runtime.auth.inner_requests import SYSTEM, acting_for
from runyard.runtime.config.project import Project
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.graphs.loading import line_of
from runyard.runtime.graphs.user_errors import one_line
from runyard.runtime.webapp.waiting import said_to_wait

logger = logging.getLogger(__name__)

AsgiApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]

LEAVING: Final = 5.0
"""Seconds that a lifespan gets for its end: a process that is to end waits no longer."""
SLOW: Final = 10.0
"""Seconds after which the log says that the lifespan is still waited for."""


class Lifespan:
    """One lifespan of an application, all in one task: what it opens may have to be closed there.

    An application that knows no lifespans has none, and is served all the same.
    """

    def __init__(self, app: AsgiApp, project: Project, place: str, *, timeout: float) -> None:
        """`place` names the application in errors. `timeout`: seconds until it has to be ready."""
        self._app = app
        self._project = project
        self._place = place
        self._timeout = timeout
        self.state: dict[str, Any] = {}
        """What it gives to requests."""
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._ended = asyncio.Event()
        self._answered = False
        self._given_up = False
        self._failed: str | None = None
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        """Returns when the application is ready. Raises ConfigError; see `give_up`."""
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.create_task(self._run(), name="lifespan")
        try:
            limit = f"it is waited for until {self._timeout:g} s are over (RUNYARD_LIFESPAN_TIMEOUT)"
            beginning = f"{self._place}: the beginning of its lifespan"
            with said_to_wait(self._project, beginning, after=SLOW, otherwise=limit):
                async with asyncio.timeout(self._timeout):
                    await self._started.wait()
        except BaseException as error:
            self._task.cancel()
            if isinstance(error, TimeoutError):
                raise ConfigError(
                    f"{self._place}: its lifespan is not ready after {self._timeout:g} s; let it do less before its"
                    " yield, or raise RUNYARD_LIFESPAN_TIMEOUT"
                ) from None
            raise
        if self._given_up:
            raise Unavailable(f"{self._place}: its lifespan was given up: the server is to stop")
        if self._failed is not None:
            await asyncio.wait({self._task}, timeout=1.0)  # the exception comes after the message
            self._task.cancel()
            raise ConfigError(f"{self._place}: its lifespan failed{self._why()}")

    def give_up(self) -> None:
        """Ends the wait of `enter`, which raises Unavailable then."""
        if self._task is not None and not self._started.is_set():
            self._given_up = True
            self._task.cancel()
            self._started.set()

    async def leave(self) -> None:
        """Lets the application end what it has begun. What goes wrong is in the log; nothing is raised."""
        if self._task is None or self._task.done():
            return
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        try:
            with said_to_wait(self._project, f"{self._place}: the end of its lifespan", after=min(SLOW, LEAVING)):
                async with asyncio.timeout(LEAVING):
                    await self._ended.wait()
        except TimeoutError:
            logger.warning("%s: its lifespan has not ended after %g s, and is left alone", self._place, LEAVING)
            self._task.cancel()
            return
        if self._failed is not None or (self._error is not None and self._answered):
            logger.error("%s: the end of its lifespan failed%s", self._place, self._why(), exc_info=self._error)

    def _why(self) -> str:
        if self._error is None:
            return f": {self._failed}" if self._failed else ""
        where = line_of(self._project, self._error)
        return f"{f' ({where})' if where else ''}: {one_line(self._error)}"

    async def _run(self) -> None:
        acting_for.set(SYSTEM)  # what it asks the server for, it asks for the server
        try:
            scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
            await self._app(scope, self._messages.get, self._send)
        except asyncio.CancelledError as error:
            self._error = error
            raise
        except BaseException as error:  # noqa: BLE001 - the application may raise anything, SystemExit too
            self._error = error
        finally:
            self._started.set()
            self._ended.set()

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self._answered = True
        kind = message["type"]
        if kind.endswith(".failed"):
            self._failed = (str(message.get("message", "")).strip().splitlines() or [""])[-1]
        if kind.startswith("lifespan.startup."):
            self._started.set()
        elif self._failed is None:  # else the exception is still to come
            self._ended.set()
