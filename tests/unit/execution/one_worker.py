"""A worker in this process, with what it says to servers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from runyard.runtime.bus.messages import Ended, FromWorker, ToWorker, Welcome
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.execution.executor import Executor
from runyard.runtime.execution.worker import Worker
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.storage.port.runs import Lane, NewRun
from runyard.runtime.storage.sqlite.storage import SqliteStorage

Kind = TypeVar("Kind", bound=FromWorker)
SAMPLES = Path(__file__).parents[2] / "sample_graphs"


class Heard:
    """The worker's end of a bus that keeps what the worker says."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[FromWorker] = asyncio.Queue()
        self._also: list[tuple[type[Any], Callable[[Any], object]]] = []
        self.tell: Callable[[ToWorker], None] = lambda _: None

    def listen(self, receive: Callable[[ToWorker], None]) -> None:
        self.tell = receive

    def also(self, kind: type[Kind], hear: Callable[[Kind], object]) -> None:
        """Calls `hear` with each message of that kind, too."""
        self._also.append((kind, hear))

    def send(self, message: FromWorker) -> None:
        for kind, hear in self._also:
            if isinstance(message, kind):
                hear(message)
        self._messages.put_nowait(message)

    def close(self) -> None:
        pass

    async def next(self, kind: type[Kind]) -> Kind:
        """The next message of that kind."""
        async with asyncio.timeout(60):
            while not isinstance(message := await self._messages.get(), kind):
                pass
            return message

    async def end_of(self, run_id: str) -> Ended:
        """The message that the run has ended."""
        while (ended := await self.next(Ended)).run_id != run_id:
            pass
        return ended


@asynccontextmanager
async def working(
    storage: SqliteStorage, graphs: Graphs, folder: Path, *, welcome: bool = True, **changes: Any
) -> AsyncIterator[Heard]:
    """`changes` are settings."""
    settings = Settings(project=load_project(SAMPLES), data_dir=folder, max_attempts=3, **changes)
    storage.open(maintain=False)
    heard = Heard()
    worker = Worker("worker", settings, storage, Executor(graphs, storage, None), solo=False)
    worker.connect(heard)
    if welcome:
        heard.tell(Welcome())
    task = asyncio.create_task(worker.run())
    try:
        yield heard
    finally:
        worker.drain()
        await task
        storage.close()


def new_run(graph_id: str, **kwargs: Any) -> NewRun:
    thread_id = str(uuid.uuid4())
    return NewRun(
        run_id=str(uuid.uuid4()),
        thread_id=thread_id,
        assistant_id=str(uuid.uuid4()),
        graph_id=graph_id,
        lane=Lane.SINGLE,
        delay=0.0,
        strategy="enqueue",
        metadata={},
        kwargs={"input": {}, "config": {"configurable": {"thread_id": thread_id}}, "webhook": None, **kwargs},
        thread_metadata={"graph_id": graph_id},
    )
