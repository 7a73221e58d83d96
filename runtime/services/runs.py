"""Runs: created, followed, cancelled."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from runyard.generated.models import Assistant, Run, RunCreateStateless, RunsCancel
from runyard.runtime.auth.inner_requests import is_made_by_run, is_of_own_thread
from runyard.runtime.bus.workers import Workers
from runyard.runtime.errors import Conflict, NotFound, RunyardError
from runyard.runtime.scope import Scope
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.services.batches import NO_OPTIONS, AcceptedBatch, BatchOptions, new_batch
from runyard.runtime.services.idempotency import Idempotency, IdempotentRequest
from runyard.runtime.services.new_runs import (
    NO_HEADERS,
    Headers,
    RunCreate,
    RunRules,
    new_stateless_run,
    new_thread_run,
)
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import (
    CancelAction,
    CancelResult,
    Interest,
    Lane,
    NewRun,
    RunLocation,
    RunRef,
    RunStatus,
)
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker
from runyard.runtime.streams.scoped import FollowedStream, ScopedStream
from runyard.runtime.streams.selection import view
from runyard.runtime.streams.subscriptions import ResultWaiter, RunSubscription

STOP_WAIT = 5.0
"""Seconds that workers get to stop what was cancelled; then it is ended in their place."""

CANCELLED_TOGETHER = 50
"""Runs that one transaction stops: other writes must get in between."""

NOTHING_CANCELLED = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct, "
    "and the runs haven't been deleted or completed."
)

WAITS_FOR_ITSELF = (
    "The run that asks would wait for itself: it is on this thread, whose runs run one at a time. Use another thread,"
    " or none."
)

FROM_THE_FIRST = "-1"
"""As the last event's id: that in front of the first. Where events are not kept, a stream goes on from now."""

LONGEST_REQUEST_ID = 200
"""Characters of a request's id that are kept."""


class Runs:
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

    # Creating

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
            lane = Lane.INTERACTIVE if protocol else Lane.SINGLE
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
                raise type(error)(f"body[{index}]: {error.detail}") from None
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
        assistant = await self._assistants.resolve(scope.of("assistants", name), name)
        request_id = _request_id(request_id)
        if isinstance(request, RunCreateStateless):
            return new_stateless_run(
                request, assistant, self._rules, headers, request_id=request_id, lane=lane, interest=interest
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

    async def _hasten(self, run_id: str) -> None:
        """Where a run asks: it has lent its place, and what it waits for must not queue up behind runs like itself."""
        if is_made_by_run():
            self._workers.wake(await self._storage.queue.hasten(run_id))

    # Looking

    async def get(self, scope: Scope, thread_id: str, run_id: str) -> Run:
        """A run of a thread. Raises NotFound when there is none, also once the run's thread was deleted."""
        run = await self._storage.runs.get(scope, thread_id, run_id)
        if run is None:
            await self._thread_exists(scope, thread_id)
            raise NotFound("Not Found")
        return run

    async def list(self, scope: Scope, thread_id: str, *, limit: int, offset: int, status: str | None) -> list[Run]:
        """The runs of a thread, newest first; none for a status that does not exist."""
        await self._thread_exists(scope, thread_id)
        known: RunStatus | None = status  # type: ignore[assignment]
        return await self._storage.runs.of_thread(scope, thread_id, limit=limit, offset=offset, status=known)

    async def find(self, scope: Scope, run_id: str) -> Run:
        """A run by its own id. Raises NotFound, also once the run's thread was deleted."""
        run = await self._storage.runs.find(scope, run_id)
        if run is None:
            raise NotFound(f"Run with ID {run_id} not found")
        return run

    async def thread_of(self, run_id: str) -> str | None:
        """The thread of a run, whoever's they are: for those who have to decide about it. None: there is no such
        run."""
        location = await self._storage.runs.locate(Scope.everything(), run_id)
        return None if location is None else location.thread_id

    async def _thread_exists(self, scope: Scope, thread_id: str) -> None:
        if await self._storage.threads.get(scope, thread_id) is None:
            raise NotFound(f"Thread with ID {thread_id} not found")

    # Following

    async def join(self, scope: Scope, thread_id: str, run_id: str) -> ResultWaiter:
        """Waits for what a run answers; also what a deleted stateless run answered, for as long as it is kept."""
        if await self._belongs(scope, thread_id, run_id) is None:
            return self._broker.wait_for_nothing(run_id)
        await self._check_own_thread(scope, thread_id, run_id)
        waiter = self._broker.wait_for_result(run_id, announce=True)
        await self._end_if_ended(waiter, run_id)
        return waiter

    async def follow(
        self,
        scope: Scope,
        thread_id: str,
        run_id: str,
        *,
        last_event_id: str | None,
        modes: Sequence[str] | None,
        namespace: str | None = None,
    ) -> FollowedStream:
        """Follows the events of a run: from now on, or, of a resumable run, from behind `last_event_id`
        ("-1": from the first), also when it has ended. Only those of some modes, or of one subgraph's `namespace`."""
        location = await self._belongs(scope, thread_id, run_id)
        if location is None:
            return self._broker.follow_nothing(run_id)
        subscription = await self._broker.subscribe(
            run_id,
            resumable=location.resumable,
            after=last_event_id,
            view=view(modes, namespace, protocol=location.protocol),
        )
        await self._end_if_ended(subscription, run_id)
        if not scope.filter:
            return subscription

        async def in_reach() -> bool:
            if await self._storage.runs.locate(scope, run_id) is not None:
                return True
            return await self.thread_of(run_id) is None  # it was removed, which the stream itself tells

        return ScopedStream(subscription, in_reach)

    async def follow_run(
        self,
        scope: Scope,
        run_id: str,
        *,
        last_event_id: str | None,
        modes: Sequence[str] | None,
        namespace: str | None = None,
    ) -> FollowedStream:
        """As `follow`, for a client that knows only the run. Raises NotFound when there is no such run."""
        location = await self._storage.runs.locate(scope, run_id)
        if location is None:
            raise NotFound(f"Run with ID {run_id} not found")
        return await self.follow(
            scope, location.thread_id, run_id, last_event_id=last_event_id, modes=modes, namespace=namespace
        )

    async def follow_thread(
        self, scope: Scope, thread_id: str, *, last_event_id: str | None, modes: Sequence[str]
    ) -> FollowedStream:
        """Follows all runs of a thread until the client goes, or the thread is out of their scope; see
        `ThreadSubscription` for the modes."""
        await self._thread_exists(scope, thread_id)
        subscription = await self._broker.subscribe_thread(thread_id, frozenset(modes), last_event_id)
        if not scope.filter:
            return subscription

        async def in_reach() -> bool:
            if await self._storage.threads.graph_ids(scope, thread_id) is not None:
                return True
            return await self._storage.threads.graph_ids(Scope.everything(), thread_id) is None

        return ScopedStream(subscription, in_reach)

    async def _end_if_ended(self, subscription: ResultWaiter | RunSubscription, run_id: str) -> None:
        try:
            await self._broker.end_if_ended(subscription)
            await self._hasten(run_id)
        except BaseException:
            await subscription.close()
            raise

    async def _check_own_thread(self, scope: Scope, thread_id: str, run_id: str) -> None:
        """Raises Conflict where a run would wait for one that comes after it, or for itself."""
        if is_of_own_thread(thread_id):
            run = await self._storage.runs.get(scope, thread_id, run_id)
            if run is not None and run.status in ("pending", "running"):
                raise Conflict(WAITS_FOR_ITSELF)

    async def _belongs(self, scope: Scope, thread_id: str, run_id: str) -> RunLocation | None:
        """Where the run is; None when it is not there. Raises NotFound for a run of another thread."""
        location = await self._storage.runs.locate(scope, run_id)
        if location is not None and location.thread_id != thread_id:
            raise NotFound(f"Run {run_id} is not a run of thread {thread_id}")
        return location

    # Cancelling

    async def cancel(
        self, scope: Scope, thread_id: str, run_id: str, *, action: CancelAction, reason: str | None = None
    ) -> None:
        """Stops a run, which keeps the reason; returns when it has ended. Raises NotFound when there is nothing to
        stop."""
        location = await self._storage.runs.locate(scope, run_id)
        if location is None or location.thread_id != thread_id:
            raise NotFound("No runs found to cancel.")
        outcome = await self._cancel(scope, [RunRef(thread_id, run_id)], action, _told(reason))
        if not outcome.ended and not outcome.requested:
            raise NotFound(NOTHING_CANCELLED)
        await self._stopped([*outcome.requested])

    async def cancel_many(self, scope: Scope, request: RunsCancel, *, action: CancelAction) -> None:
        """Stops the named runs of a thread, or all that have a status, a few in each transaction; returns when they
        have ended. What is left when that is cut short is stopped by asking again."""
        met = found = False
        requested: list[str] = []
        async for runs in self._cancellable(scope, request):
            found |= bool(runs)
            outcome = await self._cancel(scope, runs, action)
            met |= bool(outcome.ended or outcome.requested)
            requested += outcome.requested
        if not found:
            raise NotFound("No runs found to cancel.")
        if not met:
            raise NotFound(NOTHING_CANCELLED)
        await self._stopped(requested)

    async def _cancellable(self, scope: Scope, request: RunsCancel) -> AsyncIterator[Sequence[RunRef]]:
        find = partial(
            self._storage.runs.cancellable,
            scope,
            thread_id=request.thread_id,
            status=request.status or "all",
            limit=CANCELLED_TOGETHER,
        )
        named = request.run_ids
        if named is not None:
            for start in range(0, len(named), CANCELLED_TOGETHER):
                yield (await find(run_ids=named[start : start + CANCELLED_TOGETHER])).runs
            return
        page = await find(run_ids=None)
        while page.runs:
            yield page.runs
            if page.after is None:
                return
            page = await find(run_ids=None, after=page.after)

    async def delete(self, scope: Scope, thread_id: str, run_id: str) -> None:
        """Removes a run, also one that is running; what it has done to the thread stays. Raises NotFound."""
        promoted = await self._storage.runs.delete(scope, thread_id, run_id)
        if promoted is None:
            raise NotFound("Run not found")
        self._broker.run_deleted(run_id)
        self._workers.wake(promoted)

    async def abandon(self, scope: Scope, run: Run) -> None:
        """The client of a run that is to end with its connection has left. Nobody waits for the end."""
        await self._cancel(scope, [RunRef(run.thread_id, run.run_id)], "interrupt")

    async def _cancel(
        self, scope: Scope, runs: Sequence[RunRef], action: CancelAction, reason: str | None = None
    ) -> CancelResult:
        """Ends what is pending and asks the rest to stop."""
        outcome = await self._storage.runs.cancel(scope, runs, action, reason)
        self._broker.announce_cancellation(outcome, action)
        return outcome

    async def _stopped(self, run_ids: Sequence[str]) -> None:
        """Returns when these runs have ended: by their workers, or, after a while, in their place."""
        if not run_ids:
            return
        waiters = [self._broker.wait_for_result(run_id, announce=False) for run_id in run_ids]
        self._broker.refresh_results(run_ids)  # some may have ended before they were waited for
        try:
            answers = await asyncio.gather(*(waiter.result(STOP_WAIT) for waiter in waiters))
        finally:
            for waiter in waiters:
                await waiter.close()
        left = [waiter.run_id for waiter, answer in zip(waiters, answers, strict=True) if answer is None]
        while left:
            ended = await self._storage.workers.end_unstopped(0.0, CANCELLED_TOGETHER, left)
            self._broker.runs_ended_unasked(ended, STOP_WAIT)
            if not ended.ended:
                return


def _told(reason: str | None) -> str | None:
    """What a run keeps of the reason for its end; clients know `taken` by how it begins."""
    return "taken: another run has taken its input" if reason == "taken" else reason


def _lane_of_waiter() -> Lane:
    """The lane of a run whose end the request waits for."""
    return Lane.AWAITED if is_made_by_run() else Lane.INTERACTIVE


def _request_id(given: str | None) -> str:
    """What was given, not longer than ids are, or a new one."""
    return given[:LONGEST_REQUEST_ID] if given else str(uuid.uuid4())
