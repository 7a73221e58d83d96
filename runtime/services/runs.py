"""Runs: created here, followed and stopped by what it is put together from."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from runyard.generated.models import Assistant, Run, RunCreateStateless
from runyard.runtime.auth.inner_requests import is_made_by_run, is_of_own_thread
from runyard.runtime.bus.workers import Workers
from runyard.runtime.errors import Conflict, RunyardError
from runyard.runtime.scope import Scope
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.services.batches import NO_OPTIONS, AcceptedBatch, BatchOptions, new_batch
from runyard.runtime.services.followed_runs import WAITS_FOR_ITSELF, FollowedRuns
from runyard.runtime.services.idempotency import Idempotency, IdempotentRequest
from runyard.runtime.services.latest_assistant import of_latest_assistant
from runyard.runtime.services.new_runs import (
    NO_HEADERS,
    Headers,
    RunCreate,
    RunRules,
    new_stateless_run,
    new_thread_run,
)
from runyard.runtime.services.stopped_runs import StoppedRuns
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import Interest, Lane, NewRun
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker
from runyard.runtime.streams.scoped import FollowedStream
from runyard.runtime.streams.subscriptions import ResultWaiter, RunSubscription

FROM_THE_FIRST = "-1"
"""As the last event's id: that in front of the first. Where events are not kept, a stream goes on from now."""

LONGEST_REQUEST_ID = 200
"""Characters of a request's id that are kept."""


class Runs(FollowedRuns, StoppedRuns):
    """The service behind the operations on runs."""

    def __init__(
        self,
        storage: Storage,
        broker: Broker,
        workers: Workers,
        assistants: Assistants,
        rules: RunRules,
        idempotency: Idempotency,
    ) -> None:
        self._storage = storage
        self._broker = broker
        self._workers = workers
        self._assistants = assistants
        self._rules = rules
        self._idempotency = idempotency

    # `headers` are those of the request that the runs find in their `configurable`; `request_id` is what the client, or
    # what stands in front of the server, calls the request; `once` is given for one that may come again.

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
    ) -> Run:
        """Accepts a run in the background: on a thread, or with one of its own. `protocol`: it is one on a thread, and
        tells of itself by the thread event protocol, so somebody is waiting for it. `first` is awaited before it is
        made, but not where it was made before; what it raises is raised here."""

        async def make(key: IdempotencyKey | None) -> Run:
            if first is not None:
                await first()
            return await of_latest_assistant(partial(insert, key))

        async def insert(key: IdempotencyKey | None) -> Run:
            lane = _lane_of_waiter() if protocol else Lane.SINGLE
            new_run = await self._new_run(
                scope, request, thread_id, headers, request_id, lane, Interest.NONE, protocol=protocol
            )
            return await self._insert(scope, new_run, key)

        async def again(packed: bytes) -> Run:
            return (await self._idempotency.runs_again(packed, [request]))[0]

        return await self._idempotency.once(scope, once, make, again)

    async def create_batch(
        self,
        scope: Scope,
        requests: Sequence[RunCreateStateless],
        *,
        options: BatchOptions = NO_OPTIONS,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> AcceptedBatch:
        """Accepts all runs, in order, or none: every item is resolved before the one transaction that writes
        them and their batch. An error names the item."""

        async def make(key: IdempotencyKey | None) -> AcceptedBatch:
            return await self._create_batch(scope, requests, options, headers, request_id, key)

        async def again(packed: bytes) -> AcceptedBatch:
            runs = await self._idempotency.runs_again(packed, requests)
            assert runs[0].batch_id is not None
            return AcceptedBatch(runs[0].batch_id, runs)

        return await self._idempotency.once(scope, once, make, again)

    async def _create_batch(
        self,
        scope: Scope,
        requests: Sequence[RunCreateStateless],
        options: BatchOptions,
        headers: Headers,
        request_id: str | None,
        key: IdempotencyKey | None,
    ) -> AcceptedBatch:
        request_id = _request_id(request_id)
        batch = new_batch(options, self._rules)
        known: dict[str, Assistant] = {}
        new_runs: list[NewRun] = []
        for index, request in enumerate(requests):
            try:
                name = request.assistant_id
                if name not in known:
                    known[name] = await self._assistants.resolve(scope.of("assistants", name), name)
                new_runs.append(
                    new_stateless_run(
                        request, known[name], self._rules, headers, request_id=request_id, lane=Lane.BATCH
                    )
                )
            except RunyardError as error:
                error.detail = f"body[{index}]: {error.detail}"
                raise
            if index % 500 == 499:
                await asyncio.sleep(0)  # others have requests too
        inserted = await self._storage.runs.insert(scope, new_runs, batch, key)
        self._workers.wake(inserted.ready)
        return AcceptedBatch(batch.batch_id, inserted.runs)

    async def stream(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> tuple[Run, FollowedStream]:
        """Accepts a run and follows its events from the first; one that was accepted before, as joining it does."""

        async def make(key: IdempotencyKey | None) -> tuple[Run, FollowedStream]:
            return await of_latest_assistant(partial(insert, key))

        async def insert(key: IdempotencyKey | None) -> tuple[Run, FollowedStream]:
            new_run = await self._new_run(
                scope, request, thread_id, headers, request_id, _lane_of_waiter(), Interest.EVENTS
            )
            subscription = self._broker.subscribe_new(new_run.run_id, resumable=new_run.resumable)
            return await self._insert_followed(scope, new_run, subscription, key), subscription

        async def again(packed: bytes) -> tuple[Run, FollowedStream]:
            (run,) = await self._idempotency.runs_again(packed, [request])
            return run, await self.follow(scope, run.thread_id, run.run_id, last_event_id=FROM_THE_FIRST, modes=None)

        return await self._idempotency.once(scope, once, make, again)

    async def wait(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> tuple[Run, ResultWaiter]:
        """Accepts a run and waits for its end; for that of one that was accepted before, as joining it does."""

        async def make(key: IdempotencyKey | None) -> tuple[Run, ResultWaiter]:
            return await of_latest_assistant(partial(insert, key))

        async def insert(key: IdempotencyKey | None) -> tuple[Run, ResultWaiter]:
            new_run = await self._new_run(
                scope, request, thread_id, headers, request_id, _lane_of_waiter(), Interest.ANSWER
            )
            waiter = self._broker.wait_for_new(new_run.run_id)
            return await self._insert_followed(scope, new_run, waiter, key), waiter

        async def again(packed: bytes) -> tuple[Run, ResultWaiter]:
            (run,) = await self._idempotency.runs_again(packed, [request])
            return run, await self.join(scope, run.thread_id, run.run_id)

        return await self._idempotency.once(scope, once, make, again)

    async def _new_run(
        self,
        scope: Scope,
        request: RunCreate,
        thread_id: str | None,
        headers: Headers,
        request_id: str | None,
        lane: Lane,
        interest: Interest,
        *,
        protocol: bool = False,
    ) -> NewRun:
        name = request.assistant_id
        seen = request.multitask_strategy not in ("interrupt", "rollback")  # those may not be made again
        assistant = await self._assistants.resolve(scope.of("assistants", name), name, seen=seen)
        seen_at = assistant.updated_at if seen else None
        request_id = _request_id(request_id)
        if isinstance(request, RunCreateStateless):
            return new_stateless_run(
                request,
                assistant,
                self._rules,
                headers,
                request_id=request_id,
                lane=lane,
                interest=interest,
                seen_at=seen_at,
            )
        assert thread_id is not None
        if interest != Interest.NONE and request.multitask_strategy == "enqueue" and is_of_own_thread(thread_id):
            raise Conflict(WAITS_FOR_ITSELF)
        return new_thread_run(
            request,
            assistant,
            self._rules,
            headers,
            thread_id=thread_id,
            request_id=request_id,
            lane=lane,
            interest=interest,
            protocol=protocol,
            seen_at=seen_at,
        )

    async def _insert(self, scope: Scope, new_run: NewRun, key: IdempotencyKey | None) -> Run:
        inserted = await self._storage.runs.insert(scope, [new_run], key=key)
        self._workers.wake(inserted.ready)
        if inserted.cancelled.ended or inserted.cancelled.requested:
            self._broker.announce_cancellation(
                inserted.cancelled, "rollback" if new_run.strategy == "rollback" else "interrupt"
            )
        return inserted.runs[0]

    async def _insert_followed(
        self,
        scope: Scope,
        new_run: NewRun,
        subscription: ResultWaiter | RunSubscription,
        key: IdempotencyKey | None,
    ) -> Run:
        try:
            run = await self._insert(scope, new_run, key)
            if new_run.thread_metadata is None:
                await self._hasten(run.run_id)  # others may be before it on its thread
        except BaseException:
            await subscription.close()
            raise
        subscription.run_exists = True
        return run


def _lane_of_waiter() -> Lane:
    """The lane of a run whose end the request waits for."""
    return Lane.AWAITED if is_made_by_run() else Lane.INTERACTIVE


def _request_id(given: str | None) -> str:
    """What was given, not longer than ids are, or a new one."""
    return given[:LONGEST_REQUEST_ID] if given else str(uuid.uuid4())
