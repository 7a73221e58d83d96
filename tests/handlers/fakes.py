"""A runtime without graphs and storage, for tests of what lies in front of it."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard.generated import models
from runyard.runtime.config.project import CorsPolicy, GraphSpec, Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import NotFound, Unavailable
from runyard.runtime.services.paging import Page
from runyard.runtime.streams.events import Event

NOW = "2026-01-02T03:04:05.678901+00:00"


class FakeMetrics:
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.append((method, route, status))

    async def exposition(self) -> bytes:
        return b"# HELP requests\n"

    async def snapshot(self) -> dict[str, Any]:
        return {"queue": {}, "workers": {}, "api": {}}


class FakePending:
    """Ends after `delay` seconds."""

    def __init__(self, delay: float, answer: bytes) -> None:
        self.end = asyncio.get_running_loop().time() + delay
        self.answer = answer
        self.closed = False

    async def result(self, timeout: float) -> bytes | None:
        left = self.end - asyncio.get_running_loop().time()
        if left > timeout:
            await asyncio.sleep(timeout)
            return None
        await asyncio.sleep(max(0.0, left))
        return self.answer

    async def close(self) -> None:
        self.closed = True


class FakeWatch:
    """Yields batches of events; a number among them is a silence of so many seconds."""

    def __init__(self, script: list[list[Event] | float]) -> None:
        self.script = script
        self.closed = False

    async def next(self, timeout: float) -> list[Event] | None:
        if not self.script:
            return None
        head = self.script[0]
        if isinstance(head, list):
            self.script.pop(0)
            return head
        if head > timeout:
            self.script[0] = head - timeout
            await asyncio.sleep(timeout)
            return []
        self.script.pop(0)
        await asyncio.sleep(head)
        return await self.next(timeout)

    async def close(self) -> None:
        self.closed = True


def make_run(**fields: Any) -> models.Run:
    identity = {key: str(uuid.uuid4()) for key in ("run_id", "thread_id", "assistant_id")}
    defaults: dict[str, Any] = {
        **identity,
        "created_at": NOW,
        "updated_at": NOW,
        "status": "pending",
        "metadata": {},
        "kwargs": {},
        "multitask_strategy": "enqueue",
    }
    return models.Run(**(defaults | fields))


class FakeRuns:
    def __init__(self) -> None:
        self.created: list[models.RunCreateStateless | models.RunCreateStateful] = []
        self.calls: list[tuple[Any, ...]] = []
        self.abandoned: list[models.Run] = []
        self.status = "pending"
        self.delay = 0.0
        self.answer = b'{"n":1}'
        self.script: list[list[Event] | float] = []
        self.followed: list[FakePending | FakeWatch] = []

    async def create(
        self, request: models.RunCreateStateless | models.RunCreateStateful, *, thread_id: str | None = None
    ) -> models.Run:
        self.created.append(request)
        return make_run() if thread_id is None else make_run(thread_id=thread_id)

    async def create_batch(self, requests: list[models.RunCreateStateless]) -> list[models.Run]:
        self.created.extend(requests)
        return [make_run(kwargs={"input": request.input}) for request in requests]

    async def stream(self, request: Any, *, thread_id: str | None = None) -> tuple[models.Run, FakeWatch]:
        return await self.create(request, thread_id=thread_id), self._watch()

    async def wait(self, request: Any, *, thread_id: str | None = None) -> tuple[models.Run, FakePending]:
        return await self.create(request, thread_id=thread_id), self._pending()

    async def find(self, run_id: str) -> models.Run:
        return make_run(run_id=run_id)

    async def delete(self, thread_id: str, run_id: str) -> None:
        self.calls.append(("delete", thread_id, run_id))

    async def watch_run(self, run_id: str, *, last_event_id: str | None, modes: list[str] | None) -> FakeWatch:
        self.calls.append(("watch_run", run_id, last_event_id, modes))
        return self._watch()

    async def watch_thread(self, thread_id: str, *, last_event_id: str | None, modes: list[str]) -> FakeWatch:
        self.calls.append(("watch_thread", last_event_id, modes))
        return self._watch()

    async def get(self, thread_id: str, run_id: str) -> models.Run:
        self.calls.append(("get", thread_id, run_id))
        return make_run(thread_id=thread_id, run_id=run_id, status=self.status)

    async def list(self, thread_id: str, *, limit: int, offset: int, status: str | None) -> list[models.Run]:
        self.calls.append(("list", thread_id, limit, offset, status))
        return [make_run(thread_id=thread_id)]

    async def join(self, thread_id: str, run_id: str) -> FakePending:
        return self._pending()

    async def watch(
        self, thread_id: str, run_id: str, *, last_event_id: str | None, modes: list[str] | None
    ) -> FakeWatch:
        self.calls.append(("watch", last_event_id, modes))
        return self._watch()

    async def cancel(self, thread_id: str, run_id: str, *, action: str, wait: bool) -> None:
        self.calls.append(("cancel", action, wait))

    async def cancel_many(self, request: models.RunsCancel, *, action: str) -> None:
        self.calls.append(("cancel_many", request, action))

    async def abandon(self, run: models.Run) -> None:
        self.abandoned.append(run)

    def _pending(self) -> FakePending:
        self.followed.append(pending := FakePending(self.delay, self.answer))
        return pending

    def _watch(self) -> FakeWatch:
        self.followed.append(watch := FakeWatch(list(self.script)))
        return watch


class FakeThreads:
    def __init__(self) -> None:
        self.fail: Exception | None = None
        self.calls: list[tuple[Any, ...]] = []

    def make(self, thread_id: str) -> models.Thread:
        return models.Thread(
            thread_id=thread_id,
            created_at=NOW,
            updated_at=NOW,
            state_updated_at=NOW,
            metadata={},
            status="idle",
            config={},
            values=None,
        )

    async def get(self, thread_id: str) -> models.Thread:
        if self.fail is not None:
            raise self.fail
        thread = self.make(thread_id)
        thread.ttl = models.ThreadExpiry(strategy="delete", ttl_minutes=5, expires_at=NOW)
        return thread

    async def create(self, request: models.ThreadCreate) -> models.Thread:
        self.calls.append(("create", request))
        return self.make(request.thread_id or str(uuid.uuid4()))

    async def patch(self, thread_id: str, changes: dict[str, Any]) -> models.Thread:
        self.calls.append(("patch", changes))
        return self.make(thread_id)

    async def delete(self, thread_id: str) -> None:
        self.calls.append(("delete", thread_id))

    async def copy(self, thread_id: str) -> models.Thread:
        return self.make(str(uuid.uuid4()))

    async def prune(self, request: models.ThreadPruneRequest) -> int:
        self.calls.append(("prune", request))
        return len(request.thread_ids)

    async def storage(self, thread_id: str) -> models.ThreadStorage:
        size = models.StorageSize(count=1, bytes=2)
        channels = models.ChannelSizes(count=1, bytes=3, by_channel={"n": models.ChannelSize(versions=1, bytes=3)})
        return models.ThreadStorage(
            thread_id=thread_id, total_bytes=7, checkpoints=size, channel_values=channels, pending_writes=size
        )

    async def state(
        self, thread_id: str, checkpoint: dict[str, Any] | None = None, *, subgraphs: bool = False
    ) -> models.ThreadState:
        self.calls.append(("state", checkpoint, subgraphs))
        return models.ThreadState(
            values={"n": 1, "log": ["a"]},
            next=[],
            tasks=[],
            checkpoint=None,
            metadata=None,
            created_at=None,
            parent_checkpoint=None,
            interrupts=[],
            checkpoint_id=None,
            parent_checkpoint_id=None,
        )

    async def update_state(self, thread_id: str, request: models.ThreadStateUpdate) -> dict[str, Any]:
        self.calls.append(("update_state", request))
        checkpoint = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": str(uuid.uuid4())}
        return {"checkpoint": checkpoint, "configurable": checkpoint, "checkpoint_id": checkpoint["checkpoint_id"]}

    async def history(self, thread_id: str, request: models.ThreadStateSearch) -> list[models.ThreadState]:
        state = await self.state(thread_id)
        self.calls.append(("history", request))
        return [state]

    async def search(self, request: models.ThreadSearchRequest) -> Page:
        thread = self.make(str(uuid.uuid4()))
        if request.extract:
            thread.extracted = dict.fromkeys(request.extract, 1)
        return Page([thread], request.offset + 2, request.offset + 1)

    async def count(self, request: models.ThreadCountRequest) -> int:
        return 7


class FakeAssistants:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def make(self, assistant_id: str) -> models.Assistant:
        return models.Assistant(
            assistant_id=assistant_id,
            graph_id="chain",
            config={},
            context={},
            created_at=NOW,
            updated_at=NOW,
            metadata={"created_by": "system"},
            version=1,
            name="chain",
            description=None,
        )

    async def get(self, assistant_id: str) -> models.Assistant:
        if assistant_id == str(uuid.UUID(int=0)):
            raise NotFound("Not Found")
        return self.make(assistant_id)

    async def search(self, request: models.AssistantSearchRequest) -> Page:
        return Page([self.make(str(uuid.uuid4()))], 1, None)

    async def create(self, request: models.AssistantCreate) -> models.Assistant:
        self.calls.append(("create", request))
        return self.make(request.assistant_id or str(uuid.uuid4()))

    async def patch(self, assistant_id: str, changes: dict[str, Any]) -> models.Assistant:
        self.calls.append(("patch", changes))
        return self.make(assistant_id)

    async def delete(self, assistant_id: str, delete_threads: bool) -> None:
        self.calls.append(("delete", delete_threads))

    async def count(self, request: models.AssistantCountRequest) -> int:
        return 3

    async def versions(
        self, assistant_id: str, request: models.AssistantVersionsSearchRequest
    ) -> list[models.Assistant]:
        return [self.make(assistant_id)]

    async def set_latest(self, assistant_id: str, version: int) -> models.Assistant:
        self.calls.append(("set_latest", version))
        return self.make(assistant_id)

    async def graph(self, name: str, xray: bool | int) -> dict[str, Any]:
        self.calls.append(("graph", name, xray))
        return {"nodes": [{"id": "__start__"}], "edges": [{"source": "__start__", "target": "__end__"}]}

    async def subgraphs(self, assistant_id: str, namespace: str | None, recurse: bool) -> dict[str, Any]:
        self.calls.append(("subgraphs", namespace, recurse))
        return {"child": {"input_schema": {}, "output_schema": {}, "state_schema": None}}

    async def schemas(self, assistant_id: str) -> dict[str, Any]:
        return {"graph_id": "chain", "state_schema": {"type": "object"}}


@dataclass
class FakeRuntime:
    settings: Settings
    runs: FakeRuns = field(default_factory=FakeRuns)
    threads: FakeThreads = field(default_factory=FakeThreads)
    assistants: FakeAssistants = field(default_factory=FakeAssistants)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    database: bool = True

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def healthy(self) -> None:
        if not self.database:
            raise Unavailable("The database does not answer")

    def info(self) -> dict[str, Any]:
        return {"version": "0", "langgraph_py_version": "1", "flags": {}, "metadata": {}}


def make_runtime(*, cors: CorsPolicy | None = None, **settings: Any) -> FakeRuntime:
    project = Project(
        path=Path("langgraph.json"),
        directory=Path(),
        graphs={"chain": GraphSpec(graph_id="chain", path="./g.py:chain", description="Adds <numbers>")},
        import_paths=(),
        cors=cors or CorsPolicy(),
    )
    return FakeRuntime(Settings(project=project, **settings))
