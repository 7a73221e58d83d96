"""What A2A lets a client do with an assistant: runs on threads, made, followed and cancelled as tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from uuid_utils import uuid7

from runyard.generated.models import Command, Run, RunCreateStateful
from runyard.handlers.api.run_access import cancel_run, create_run
from runyard.handlers.api.stateless_runs import StatelessRunService
from runyard.handlers.api.thread_access import read_thread
from runyard.handlers.api.thread_runs import ThreadRunService
from runyard.handlers.api.threads import ThreadService
from runyard.handlers.http.event_stream import EventSubscription
from runyard.handlers.http.json_wait import ResultWaiter
from runyard.handlers.protocols.a2a.dialects import as_answer, as_input
from runyard.handlers.protocols.a2a.tasks import MESSAGE, TASK, Message, Status, Task, TaskId, not_found, task_of
from runyard.handlers.protocols.json_rpc import INVALID_PARAMS, RpcError, until_result
from runyard.runtime.auth.principal import Principal
from runyard.runtime.config.ids import usual_id
from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.new_runs import Headers

NOT_CANCELABLE: Final = -32002
UNSUPPORTED: Final = -32004

PAGE: Final = 100
"""Runs of a thread that are looked at together."""
MOST_RUNS: Final = 1000
"""The latest runs of a thread among which one that goes on with a task is looked for."""


class TaskRunService(StatelessRunService, ThreadRunService, Protocol):
    """What tasks need of the service of runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks for something, and how they want it answered. `whole`: with the history of all the context."""

    principal: Principal
    headers: Headers
    request_id: str | None
    whole: bool


class Agent:
    """An assistant, for one request."""

    def __init__(self, assistant_id: str, runs: TaskRunService, threads: ThreadService, caller: Caller) -> None:
        self._assistant_id = assistant_id
        self._runs = runs
        self._threads = threads
        self._caller = caller

    async def task(self, task_id: TaskId) -> Task:
        """A task as it is. Raises RpcError, RunyardError."""
        scope, run = await self._found(task_id)
        return await self._seen(scope, task_id, run)

    async def accept(self, message: Message, given: Mapping[str, Any]) -> Task:
        """Begins a task, or goes on with one, and does not wait for it."""
        scope, task_id, wanted = await self._wanted(message, given)
        wanted.stream_mode, wanted.stream_resumable = ["messages-tuple"], True
        run = await self._runs.create(scope, wanted, thread_id=_thread(task_id), **self._request)
        return self._begun(task_id, run, message)

    async def send(self, message: Message, given: Mapping[str, Any]) -> PendingTask:
        """Begins a task, or goes on with one; what it answers can be waited for."""
        scope, task_id, wanted = await self._wanted(message, given)
        run, waiter = await self._runs.wait(scope, wanted, thread_id=_thread(task_id), **self._request)
        return PendingTask(self, self._begun(task_id, run, message).task_id, run, waiter)

    async def stream(self, message: Message, given: Mapping[str, Any]) -> tuple[Task, Run, EventSubscription]:
        """Begins a task, or goes on with one, and follows it."""
        scope, task_id, wanted = await self._wanted(message, given)
        wanted.stream_mode, wanted.stream_resumable = ["messages-tuple"], True
        run, events = await self._runs.stream(scope, wanted, thread_id=_thread(task_id), **self._request)
        return self._begun(task_id, run, message), run, events

    async def subscribe(self, task_id: TaskId) -> tuple[Task, Run, EventSubscription]:
        """Follows a task, from its beginning where its events are kept."""
        scope, run = await self._found(task_id)
        task = await self._seen(scope, task_id, run)
        events = await self._runs.follow(
            scope, run.thread_id, run.run_id, last_event_id="-1", modes=None, namespace=None
        )
        return task, run, events

    async def cancel(self, task_id: TaskId) -> Task:
        """Stops a task."""
        _, run = await self._found(task_id)
        if run.status not in ("pending", "running"):
            raise RpcError(NOT_CANCELABLE, f"Task cannot be canceled, since it has ended: {task_id}")
        scope = await cancel_run(self._caller.principal, run.thread_id, run.run_id, "interrupt")
        try:
            await self._runs.cancel(scope, run.thread_id, run.run_id, action="interrupt")
        except NotFound:
            raise RpcError(NOT_CANCELABLE, f"Task cannot be canceled, since it has ended: {task_id}") from None
        return await self.task(task_id)

    async def listed(self, context_id: str, *, limit: int, offset: int) -> tuple[list[Task], bool]:
        """One page of the tasks of a context, the latest first, and whether there are more."""
        thread_id = usual_id(context_id)
        if thread_id is None:
            return [], False
        scope = await read_thread(self._caller.principal, thread_id)
        try:
            runs = await self._runs.list(scope, thread_id, limit=limit + 1, offset=offset, status=None)
        except NotFound:
            return [], False
        begun = [run for run in runs[:limit] if run.assistant_id == self._assistant_id and TASK not in run.metadata]
        return [await self.task(TaskId(thread_id, run.run_id)) for run in begun], len(runs) > limit

    async def seen(self, task_id: TaskId, run: Run) -> Task:
        """A task, by the run that it has come to. Raises RunyardError where it is not there any more."""
        scope = await read_thread(self._caller.principal, run.thread_id, run.run_id)
        return await self._seen(scope, task_id, await self._runs.get(scope, run.thread_id, run.run_id))

    async def _seen(self, scope: Scope, task_id: TaskId, run: Run) -> Task:
        thread = await self._threads.get(scope, run.thread_id)
        latest = await self._runs.list(scope, run.thread_id, limit=1, offset=0, status=None)
        is_latest = bool(latest) and latest[0].run_id == run.run_id
        return task_of(task_id, run, thread, is_latest=is_latest, whole=self._caller.whole)

    async def _found(self, task_id: TaskId) -> tuple[Scope, Run]:
        """The run that a task has come to: the latest that goes on with it, or the one that it began with."""
        scope = await read_thread(self._caller.principal, task_id.thread_id, task_id.run_id)
        try:
            first = await self._runs.get(scope, task_id.thread_id, task_id.run_id)
        except NotFound:
            raise not_found(str(task_id)) from None
        if first.assistant_id != self._assistant_id or TASK in first.metadata:
            raise not_found(str(task_id))
        for offset in range(0, MOST_RUNS, PAGE):
            runs = await self._runs.list(scope, task_id.thread_id, limit=PAGE, offset=offset, status=None)
            for run in runs:
                if run.metadata.get(TASK) == task_id.run_id or run.run_id == task_id.run_id:
                    return scope, run
            if len(runs) < PAGE:
                break
        return scope, first

    async def _wanted(
        self, message: Message, given: Mapping[str, Any]
    ) -> tuple[Scope, TaskId | str, RunCreateStateful]:
        """The run for a message: what it may reach, the task that it goes on with or the context of a new one, and the
        request for it."""
        context_id: str | None = given.get("contextId") or None
        known: str | None = given.get("taskId") or None
        metadata = {MESSAGE: message.message_id}
        place: TaskId | str
        if known is not None:
            place = TaskId.parse(known, context_id)
            task = await self.task(place)
            if task.status.state != "input-required":
                raise RpcError(UNSUPPORTED, f"The task waits for nothing, it is {task.status.state}: {place}")
            metadata = {MESSAGE: (await self._first_message(place)), TASK: place.run_id}
            thread_id = place.thread_id
        else:
            thread_id = str(uuid7()) if context_id is None else usual_id(context_id) or ""
            if not thread_id:
                raise RpcError(INVALID_PARAMS, "params.message.contextId: it is not a UUID; leave it out to begin anew")
            place = thread_id
        wanted = RunCreateStateful(
            assistant_id=self._assistant_id,
            input=None if known else {"messages": [as_input(message)]},
            command=Command(resume=as_answer(message)) if known else None,
            metadata=metadata,
            if_not_exists="create",
        )
        scope, wanted = await create_run(self._caller.principal, wanted, thread_id)
        return scope, place, wanted

    async def _first_message(self, task_id: TaskId) -> Any:
        scope = await read_thread(self._caller.principal, task_id.thread_id, task_id.run_id)
        return (await self._runs.get(scope, task_id.thread_id, task_id.run_id)).metadata.get(MESSAGE)

    @property
    def _request(self) -> dict[str, Any]:
        return {"headers": self._caller.headers, "request_id": self._caller.request_id}

    def _begun(self, place: TaskId | str, run: Run, message: Message) -> Task:
        task_id = place if isinstance(place, TaskId) else TaskId(run.thread_id, run.run_id)
        return Task(task_id=task_id, status=Status("submitted", run.created_at), history=[message])


class PendingTask:
    """A task whose run is waited for."""

    def __init__(self, agent: Agent, task_id: TaskId, run: Run, waiter: ResultWaiter) -> None:
        self._agent = agent
        self.task_id = task_id
        self._run = run
        self._waiter = waiter

    async def ended(self) -> Task:
        """The task, once its run has ended."""
        await until_result(self._waiter)
        return await self._agent.seen(self.task_id, self._run)


def _thread(place: TaskId | str) -> str:
    return place.thread_id if isinstance(place, TaskId) else place
