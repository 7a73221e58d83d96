"""Runs that are accepted and never executed, and what follows them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from runyard.generated import models
from runyard.runtime.scope import Scope
from runyard.runtime.services.batches import NO_OPTIONS, AcceptedBatch, BatchOptions
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.new_runs import NO_HEADERS, Headers, RunCreate
from runyard.runtime.streams.events import Event

from .times import NOW

Script = list[list[Event] | float]
"""What a subscription yields, in order: batches of events, and silences of so many seconds."""


class FakeResultWaiter:
    """Has the result after `delay` seconds, and when it was asked for in vain so often."""

    def __init__(self, delay: float, in_vain: int, result: bytes) -> None:
        self._end = asyncio.get_running_loop().time() + delay
        self._in_vain = in_vain
        self._result = result
        self.closed = False

    async def result(self, timeout: float) -> bytes | None:
        left = self._end - asyncio.get_running_loop().time()
        self._in_vain -= 1
        if left > timeout or self._in_vain >= 0:
            await asyncio.sleep(timeout)
            return None
        await asyncio.sleep(max(0.0, left))
        return self._result

    async def close(self) -> None:
        self.closed = True


class FakeSubscription:
    """Follows a script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.closed = False

    async def next(self, timeout: float) -> list[Event] | None:
        if not self._script:
            return None
        head = self._script[0]
        if isinstance(head, list):
            self._script.pop(0)
            return head
        if head > timeout:
            self._script[0] = head - timeout
            await asyncio.sleep(timeout)
            return []
        self._script.pop(0)
        await asyncio.sleep(head)
        return await self.next(timeout)

    async def close(self) -> None:
        self.closed = True


def make_run(
    *,
    thread_id: str | None = None,
    run_id: str | None = None,
    status: models.RunStatus = "pending",
    kwargs: dict[str, Any] | None = None,
) -> models.Run:
    return models.Run(
        run_id=run_id or str(uuid.uuid4()),
        thread_id=thread_id or str(uuid.uuid4()),
        assistant_id=str(uuid.uuid4()),
        created_at=NOW,
        updated_at=NOW,
        status=status,
        metadata={},
        kwargs=kwargs or {},
        multitask_strategy="enqueue",
        langsmith_session_name=None,
    )


class FakeRuns:
    """`created` has the requests, `calls` the other calls, `followed` what was handed out to be followed."""

    def __init__(self) -> None:
        self.created: list[RunCreate] = []
        self.headers: list[Headers] = []
        """Those that were selected for the runs, one for each request."""
        self.request_ids: list[str | None] = []
        self.options = NO_OPTIONS
        """Those of the latest batch."""
        self.calls: list[tuple[Any, ...]] = []
        self.abandoned: list[models.Run] = []
        self.followed: list[FakeResultWaiter | FakeSubscription] = []
        self.status: models.RunStatus = "pending"
        self.delay = 0.0
        """Seconds until a run has its result."""
        self.in_vain = 0
        """How often one waits for it in vain."""
        self.result = b'{"n":1}'
        self.script: Script = []

    async def create(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
        protocol: bool = False,
        first: Callable[[], Awaitable[None]] | None = None,
    ) -> models.Run:
        if first is not None:
            await first()
        self.created.append(request)
        self.headers.append(headers)
        self.request_ids.append(request_id)
        return make_run(thread_id=thread_id)

    async def create_batch(
        self,
        scope: Scope,
        requests: Sequence[models.RunCreateStateless],
        *,
        options: BatchOptions = NO_OPTIONS,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> AcceptedBatch:
        self.created.extend(requests)
        self.headers.append(headers)
        self.request_ids.append(request_id)
        self.options = options
        return AcceptedBatch(str(uuid.uuid4()), [make_run(kwargs={"input": request.input}) for request in requests])

    async def stream(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> tuple[models.Run, FakeSubscription]:
        return await self.create(
            scope, request, thread_id=thread_id, headers=headers, request_id=request_id
        ), self._subscription()

    async def wait(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> tuple[models.Run, FakeResultWaiter]:
        return await self.create(
            scope, request, thread_id=thread_id, headers=headers, request_id=request_id
        ), self._waiter()

    async def thread_of(self, run_id: str) -> str | None:
        return None

    async def find(self, scope: Scope, run_id: str) -> models.Run:
        return make_run(run_id=run_id)

    async def delete(self, scope: Scope, thread_id: str, run_id: str) -> None:
        self.calls.append(("delete", thread_id, run_id))

    async def follow_run(
        self,
        scope: Scope,
        run_id: str,
        *,
        last_event_id: str | None,
        modes: Sequence[str] | None,
        namespace: str | None,
    ) -> FakeSubscription:
        self.calls.append(("watch_run", run_id, last_event_id, modes))
        return self._subscription()

    async def follow_thread(
        self, scope: Scope, thread_id: str, *, last_event_id: str | None, modes: Sequence[str]
    ) -> FakeSubscription:
        self.calls.append(("watch_thread", last_event_id, modes))
        return self._subscription()

    async def follow(
        self,
        scope: Scope,
        thread_id: str,
        run_id: str,
        *,
        last_event_id: str | None,
        modes: Sequence[str] | None,
        namespace: str | None,
    ) -> FakeSubscription:
        self.calls.append(("watch", last_event_id, modes))
        return self._subscription()

    async def get(self, scope: Scope, thread_id: str, run_id: str) -> models.Run:
        self.calls.append(("get", thread_id, run_id))
        return make_run(thread_id=thread_id, run_id=run_id, status=self.status)

    async def join(self, scope: Scope, thread_id: str, run_id: str) -> FakeResultWaiter:
        return self._waiter()

    async def cancel(
        self,
        scope: Scope,
        thread_id: str,
        run_id: str,
        *,
        action: Literal["interrupt", "rollback"],
        reason: str | None = None,
    ) -> None:
        self.calls.append(("cancel", action) if reason is None else ("cancel", action, reason))

    async def cancel_many(
        self, scope: Scope, request: models.RunsCancel, *, action: Literal["interrupt", "rollback"]
    ) -> None:
        self.calls.append(("cancel_many", request, action))

    async def abandon(self, scope: Scope, run: models.Run) -> None:
        self.abandoned.append(run)

    async def list(
        self, scope: Scope, thread_id: str, *, limit: int, offset: int, status: str | None
    ) -> list[models.Run]:
        self.calls.append(("list", thread_id, limit, offset, status))
        return [make_run(thread_id=thread_id)]

    def _waiter(self) -> FakeResultWaiter:
        self.followed.append(waiter := FakeResultWaiter(self.delay, self.in_vain, self.result))
        return waiter

    def _subscription(self) -> FakeSubscription:
        self.followed.append(subscription := FakeSubscription([*self.script]))
        return subscription
