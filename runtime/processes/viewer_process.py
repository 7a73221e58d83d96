"""A process that looks at graphs and states, from its start to its end."""

from __future__ import annotations

import asyncio
import itertools
import pickle
import socket
import uuid
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from typing import Any, Final

from runyard.runtime import errors
from runyard.runtime.bus.messages import Broken
from runyard.runtime.bus.unix_socket import SocketLink
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import RunyardError, Unavailable
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.processes.viewer_messages import (
    FROM_VIEWER,
    End,
    Failed,
    FromViewer,
    Part,
    Ping,
    Pong,
    Ready,
    Refused,
    ToViewer,
    View,
)

VIEW_TIMEOUT: Final = 60.0
"""Seconds that one view may take."""
PONG_TIMEOUT: Final = 5.0
"""Seconds in which a viewer shows that its event loop runs, once a view has taken too long."""
STOP_TIMEOUT: Final = 3.0
"""Seconds that a viewer gets for what it is answering when it is to end."""
STUCK_VIEWS: Final = 4
"""Views that took too long and still hold a thread each, from which on a fresh process takes over."""


class NothingLoaded(Unavailable):
    """The project's code cannot be loaded; the detail says why."""


class ViewerProcess:
    """One process, from its start to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: ForkServerProcess | None = None
        self._link: SocketLink[ToViewer, FromViewer] | None = None
        self._numbers = itertools.count()
        self._answers: dict[int, _Answer] = {}
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pong = asyncio.Event()
        self._over = asyncio.Event()
        self._timed_out: set[int] = set()
        self._deaf = False
        self.retired = False

    @property
    def pid(self) -> int | None:
        """The process id."""
        return None if self._process is None else self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it answers no more."""
        return self._over.is_set()

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._answers)

    @property
    def stuck(self) -> bool:
        """Whether too much of it is held up by views that nobody waits for any more."""
        return self._deaf or len(self._timed_out) >= STUCK_VIEWS

    async def start(self, spawner: WorkerSpawner) -> None:
        """Returns when it has loaded the graphs. Raises Unavailable, as NothingLoaded where the project is to blame."""
        here, there = socket.socketpair()
        with there:
            here.setblocking(False)
            name = f"viewer-{uuid.uuid4().hex[:12]}"
            try:
                self._process = await spawner.start_viewer(self._settings, name, there)
            except BaseException:
                here.close()
                raise
        loop = asyncio.get_running_loop()
        loop.add_reader(self._process.sentinel, self._lost)
        link: SocketLink[ToViewer, FromViewer] = SocketLink(FROM_VIEWER, self._receive, lambda _: self._lost())
        await loop.create_unix_connection(lambda: link, sock=here)
        self._link = link
        await self._ready

    async def ask(self, view: str, arguments: tuple[Any, ...]) -> bytes:
        """As `Viewer.ask`."""
        if self._link is None or self.ended:
            raise Unavailable(self._death(view))
        number = next(self._numbers)
        answer = self._answers[number] = _Answer(view)
        self._link.send(View(number, pickle.dumps((view, arguments))))
        try:
            async with asyncio.timeout(VIEW_TIMEOUT):
                return await answer.future
        except TimeoutError:
            self._timed_out.add(number)
            await self._check_pulse()
            raise Unavailable(
                f"There is no answer after {VIEW_TIMEOUT:g} s: what the graph does to answer takes too long, or the "
                "state is too large. Look at what its factory, reducers and validators do, or at store.index.embed."
            ) from None
        finally:
            self._answers.pop(number, None)

    async def end(self) -> None:
        """Lets it answer what it is asked already, if that does not take long, and ends it."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await asyncio.gather(*(answer.future for answer in self._answers.values()), return_exceptions=True)
        except TimeoutError:
            pass
        if self._link is not None:
            self._link.close()
        self._lost()
        process = self._process
        if process is None:
            return
        if not await asyncio.to_thread(_joined, process):
            process.kill()
            await asyncio.to_thread(process.join)

    async def _check_pulse(self) -> None:
        """A view that takes too long may hold up all others, where it does not let go of the interpreter."""
        assert self._link is not None
        self._pong.clear()
        self._link.send(Ping())
        try:
            async with asyncio.timeout(PONG_TIMEOUT):
                await self._pong.wait()
        except TimeoutError:
            self._deaf = True

    def _receive(self, _: SocketLink[ToViewer, FromViewer], message: FromViewer) -> None:
        match message:
            case Part(number, data):
                if number in self._answers:
                    self._answers[number].parts.append(data)
            case End(number):
                self._finish(number, lambda answer: answer.future.set_result(b"".join(answer.parts)))
            case Refused(number, name, detail, retry_after):
                error = getattr(errors, name, Unavailable)
                refusal: RunyardError = error(detail)
                refusal.retry_after = retry_after
                self._finish(number, lambda answer: answer.future.set_exception(refusal))
            case Failed(number):
                failure = RuntimeError("a view failed in the viewer process; its traceback is in the log")
                self._finish(number, lambda answer: answer.future.set_exception(failure))
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(None)
            case Broken(detail):
                if not self._ready.done():
                    self._ready.set_exception(NothingLoaded(detail))
            case Pong():
                self._pong.set()

    def _finish(self, number: int, finish: Callable[[_Answer], None]) -> None:
        self._timed_out.discard(number)
        answer = self._answers.get(number)
        if answer is not None and not answer.future.done():
            finish(answer)

    def _lost(self) -> None:
        """The process or its connection has ended."""
        if self._over.is_set():
            return
        self._over.set()
        if self._process is not None:
            asyncio.get_running_loop().remove_reader(self._process.sentinel)
        if not self._ready.done():
            self._ready.set_exception(Unavailable(self._death("load the graphs")))
        for answer in self._answers.values():
            if not answer.future.done():
                answer.future.set_exception(Unavailable(self._death(answer.view)))

    @staticmethod
    def _death(what: str) -> str:
        return (
            f"The process that looks at graphs and states ended while it was to answer ({what}); the next request "
            "starts another. If that ends too, look for what ends it: memory, a native extension, or os._exit in a "
            "factory, a reducer or a validator."
        )


class _Answer:
    """What has come of an answer."""

    def __init__(self, view: str) -> None:
        self.view = view
        self.parts: list[bytes] = []
        self.future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()


def _joined(process: ForkServerProcess) -> bool:
    process.join(STOP_TIMEOUT)
    return process.exitcode is not None
