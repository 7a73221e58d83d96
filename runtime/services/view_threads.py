"""Threads that answer views, each with an event loop of its own: user code that holds one up holds up no other."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from runyard.runtime.config.project import Project
from runyard.runtime.services.views import Views
from runyard.runtime.storage.port.storage import Storage

if TYPE_CHECKING:
    from runyard.runtime.graphs.registry import Graphs
    from runyard.runtime.store.index import Index

THREADS: Final = 8
"""Views that are answered at once."""


class _Request(NamedTuple):
    view: str
    arguments: tuple[Any, ...]
    answer: Future[bytes]


class ViewThreads:
    """Answers views with graphs that are loaded."""

    def __init__(self, storage: Storage, graphs: Graphs, project: Project, index: Index | None) -> None:
        self._storage = storage
        self._graphs = graphs
        self._project = project
        self._index = index
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"view-{number}", daemon=True) for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, view: str, arguments: tuple[Any, ...]) -> Future[bytes]:
        """The answer of a method of `Views`, once it is there."""
        answer: Future[bytes] = Future()
        self._requests.put(_Request(view, arguments, answer))
        return answer

    def stop(self, timeout: float) -> None:
        """Ends the threads that are idle; those that are not within `timeout` seconds end with the process."""
        for _ in self._threads:
            self._requests.put(None)
        for thread in self._threads:
            thread.join(timeout / len(self._threads))

    def _work(self) -> None:
        from runyard.runtime.checkpoints.thread_states import StoredStates
        from runyard.runtime.graphs.schemas import GraphSchemas
        from runyard.runtime.services.store_views import StoreViews
        from runyard.runtime.store.fenced import FencedStore

        loop = asyncio.SelectorEventLoop()  # whatever policy the project has set
        asyncio.set_event_loop(loop)
        graphs = self._graphs.with_store(FencedStore(self._storage.store, loop, self._project.store_ttl, self._index))
        views = Views(
            self._storage,
            graphs,
            StoredStates(self._storage.checkpoints, graphs),
            GraphSchemas(graphs),
            StoreViews(self._storage.store, self._index),
        )
        while (request := self._requests.get()) is not None:
            if not request.answer.set_running_or_notify_cancel():
                continue
            try:
                request.answer.set_result(loop.run_until_complete(getattr(views, request.view)(*request.arguments)))
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                request.answer.set_exception(error)
            except BaseException as error:  # noqa: BLE001 - user code may raise anything; the thread answers on
                failure = RuntimeError(f"user code has raised {type(error).__name__}")
                failure.__cause__ = error
                request.answer.set_exception(failure)
        loop.close()
