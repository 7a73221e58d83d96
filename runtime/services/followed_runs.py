"""Runs that there are: looked at, and followed."""

from collections.abc import Sequence

from runyard.generated.models import Run
from runyard.runtime.auth.inner_requests import is_made_by_run, is_of_own_thread
from runyard.runtime.bus.workers import Workers
from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import RunLocation, RunStatus
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker
from runyard.runtime.streams.scoped import FollowedStream, ScopedStream
from runyard.runtime.streams.selection import view
from runyard.runtime.streams.subscriptions import ResultWaiter, RunSubscription

WAITS_FOR_ITSELF = (
    "The run that asks would wait for itself: it is on this thread, whose runs run one at a time. Use another thread,"
    " or none."
)


class FollowedRuns:
    """What the service `Runs` does with runs that there are, but for stopping them."""

    _storage: Storage
    _broker: Broker
    _workers: Workers

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
        if run.status == "pending":
            await self._hasten(run_id)
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
