"""Brings events and ends of runs to those who follow them.

Nothing here is needed for a run to end; a broker that knows nothing only makes subscriptions wait for the next
recheck, which asks storage.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.messages import Cancel, Follow, Followed, PackedEvent
from runyard.runtime.bus.port import ServerBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, Interest, RunResult
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import DeletedThreads
from runyard.runtime.storage.port.workers import EndedRuns
from runyard.runtime.streams.backlog import Backlog
from runyard.runtime.streams.events import Event, EventId, EventLog, stored_event
from runyard.runtime.streams.outages import outlasting
from runyard.runtime.streams.protocol_events import EventFilter
from runyard.runtime.streams.protocol_subscription import ProtocolSubscription
from runyard.runtime.streams.recheck import Recheck
from runyard.runtime.streams.selection import View
from runyard.runtime.streams.subscriptions import ResultWaiter, RunSubscription, Subscription
from runyard.runtime.streams.thread_streams import ThreadStreams
from runyard.runtime.streams.thread_subscription import ThreadSubscription
from runyard.runtime.telemetry.metrics import Metrics


class Broker:
    """The subscriptions of this process. All methods run on the API's event loop."""

    def __init__(
        self, storage: Storage, bus: ServerBus, workers: Workers, metrics: Metrics, loops: Loops | None = None
    ) -> None:
        self._storage = storage
        self._log = EventLog(storage.events)
        self._bus = bus
        self._workers = workers
        self._metrics = metrics
        self._backlog = Backlog()
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._threads = ThreadStreams(storage, bus, workers, self._backlog)
        self._recheck = Recheck(storage, bus, workers, self._threads, self._subscriptions, loops or Loops())

    def start(self) -> None:
        """Begins to hear from workers and to recheck."""
        self._bus.hear_runs(self)
        self._recheck.start()

    async def stop(self) -> None:
        """Ends the rechecking."""
        await self._recheck.stop()
        await self._threads.stop()

    # Subscribing

    def wait_for_result(self, run_id: str, *, announce: bool) -> ResultWaiter:
        """`announce`: the run is there already, so workers have to be told that somebody waits."""
        waiter = ResultWaiter(run_id, self._unsubscribe, announced=announce)
        self._subscribe(waiter, Interest.ANSWER)
        return waiter

    def wait_for_new(self, run_id: str) -> ResultWaiter:
        """The end of a run that is about to be created; `run_exists` is to be set when it is."""
        waiter = ResultWaiter(run_id, self._unsubscribe, announced=False)
        waiter.run_exists = False
        self._subscribe(waiter, Interest.ANSWER)
        return waiter

    def subscribe_new(self, run_id: str, *, resumable: bool) -> RunSubscription:
        """The events of a run that is about to be created, from the first; `run_exists` is to be set when it is."""
        subscription = RunSubscription(
            run_id, self._unsubscribe, self._reader(run_id), self._backlog, announced=False, resumable=resumable
        )
        subscription.run_exists = False
        self._subscribe(subscription, Interest.EVENTS)
        return subscription

    async def subscribe(self, run_id: str, *, resumable: bool, after: str | None, view: View | None) -> RunSubscription:
        """The events of a run that is there, as `view` shows them (None: all, as they are): from now on, or, of a
        resumable run, from behind the id `after`, from the first for one that is not of the run."""
        last = await self._storage.events.last(run_id) if resumable else 0
        seen = last if after is None else EventId.parse(after, last=last).seq
        subscription = RunSubscription(
            run_id,
            self._unsubscribe,
            self._reader(run_id),
            self._backlog,
            announced=True,
            resumable=resumable,
            after=seen,
            replay=resumable and after is not None,
            view=view,
        )
        self._subscribe(subscription, Interest.EVENTS)
        try:
            await self._bus.confirmed()
        except asyncio.CancelledError:
            await subscription.close()
            raise
        return subscription

    def wait_for_nothing(self, run_id: str) -> ResultWaiter:
        """For a run that is not there, whatever its id: it has ended, with an error that says so."""
        waiter = ResultWaiter(run_id, self._unsubscribe, announced=False)
        waiter.end(RunResult(run_id, "error", UNKNOWN))
        return waiter

    def follow_nothing(self, run_id: str) -> RunSubscription:
        """As `wait_for_nothing`; its only event is the error."""
        subscription = RunSubscription(
            run_id, self._unsubscribe, self._reader(run_id), self._backlog, announced=False, resumable=False
        )
        subscription.end(RunResult(run_id, "error", UNKNOWN))
        return subscription

    def _reader(self, run_id: str) -> Callable[[int], Awaitable[list[Event]]]:
        return lambda number: outlasting(lambda: self._log.of_run(run_id, after=number))

    async def end_if_ended(self, subscription: Subscription) -> None:
        """For a run that may have ended before the subscription to it began."""
        for result in await self._storage.runs.ended(Scope.everything(), [subscription.run_id]):
            subscription.end(result)

    async def subscribe_thread(self, thread_id: str, modes: frozenset[str], after: str | None) -> ThreadSubscription:
        """The events of all runs of a thread, those to come included, until it is closed; from now on, or from behind
        an id, in so far as they are stored."""
        return await self._threads.subscribe(thread_id, modes, after)

    async def subscribe_events(self, thread_id: str, filters: Sequence[EventFilter]) -> ProtocolSubscription:
        """The events of the thread event protocol that are wanted: those in the thread's log and those to come, until
        it is closed."""
        return await self._threads.subscribe_events(thread_id, filters)

    def _subscribe(self, subscription: Subscription, interest: Interest) -> None:
        self._subscriptions.setdefault(subscription.run_id, []).append(subscription)
        self._bus.follow_run(
            subscription.run_id, int(interest), announce=subscription.announced, new=not subscription.run_exists
        )

    def _unsubscribe(self, subscription: Subscription) -> None:
        others = self._subscriptions.get(subscription.run_id)
        if others is None or subscription not in others:
            return
        others.remove(subscription)
        if not others:
            del self._subscriptions[subscription.run_id]
            announce = subscription.announced or isinstance(subscription, RunSubscription)
            self._bus.unfollow_run(subscription.run_id, announce=announce)

    # What workers say

    def interests(self) -> Iterator[Followed]:
        """What is followed now."""
        for run_id, subscriptions in self._subscriptions.items():
            events = any(isinstance(subscription, RunSubscription) for subscription in subscriptions)
            yield Follow(run_id, int(Interest.EVENTS if events else Interest.ANSWER))
        yield from self._threads.interests()

    def publish(self, run_id: str, thread_id: str, events: Sequence[PackedEvent], first: int, before: int) -> None:
        """Events of a run, in order, as `RunEvents` has them."""
        unpacked = (
            [stored_event(number, name, data) for number, (name, data) in enumerate(events, first)]
            if first
            else [Event(name, data) for name, data in events]
        )
        for subscription in self._streams(run_id):
            subscription.add(unpacked, before)
        self._threads.publish(run_id, thread_id, unpacked, None if first else before)

    def events_stored(self, run_id: str, thread_id: str, number: int) -> None:
        """The run's events up to that number are stored, whether or not somebody was sent them."""
        for subscription in self._streams(run_id):
            subscription.stored(number)
        for stream in self._threads.of(thread_id):
            stream.stored(number)

    def _streams(self, run_id: str) -> list[RunSubscription]:
        return [each for each in self._subscriptions.get(run_id, ()) if isinstance(each, RunSubscription)]

    def run_ended(
        self,
        run_id: str,
        thread_id: str,
        status: str,
        answer: bytes | None,
        last: int,
        waited: float,
        ran: float,
        *,
        elsewhere: bool = False,
    ) -> None:
        """A worker reports the end of a run, after all that it had to say of it; without an `answer` it is read from
        storage, if somebody waits. `elsewhere`: it is a worker of another server process, which counts the run."""
        if not elsewhere:
            self._metrics.run_ended(status, waited, ran)
        self._threads.run_ended(run_id, thread_id, last)
        if run_id in self._subscriptions:
            for subscription in self._streams(run_id):
                subscription.reaches(last)
            if answer is None:
                self._recheck.read([run_id], told=True)
            else:
                self._recheck.deliver(RunResult(run_id, status, answer, last))  # type: ignore[arg-type]

    # What services say

    def announce_cancellation(self, result: CancelResult, action: CancelAction) -> None:
        """Passes on what a cancel request did: to workers, and to those who follow what has ended by it."""
        for run_id in result.requested:
            self._bus.tell(Cancel(run_id, action))
        self._workers.wake(result.promoted)
        if result.webhook:
            self._workers.webhook_due()
        self.runs_ended(result.ended)

    def runs_ended(self, run_ids: Sequence[str]) -> None:
        """Runs have ended without a word of their workers: those who follow them learn it, in other server processes,
        too."""
        self._bus.runs_changed(run_ids)
        self.refresh_results(run_ids)

    def runs_ended_unasked(self, result: EndedRuns, ran: float) -> None:
        """Runs were ended in their workers' place, after so many seconds or more: whatever is left of them stops."""
        for run_id, _, status in result.ended:
            self._bus.tell(Cancel(run_id, "lost"))
            self._metrics.run_ended(status, 0.0, ran)
        self.refresh_results([ended.run_id for ended in result.ended])
        self._workers.wake(result.promoted)
        if result.webhook:
            self._workers.webhook_due()

    def run_deleted(self, run_id: str) -> None:
        """The run is no more: its worker stops, those who follow it learn it."""
        self._bus.tell(Cancel(run_id, "lost"))
        self.refresh_results([run_id])

    def threads_deleted(self, deleted: DeletedThreads) -> None:
        """The threads are no more: their runs stop, their streams end."""
        for run_id in deleted.runs:
            self.run_deleted(run_id)
        for thread_id in deleted.threads:
            self._threads.deleted(thread_id)
            self._bus.thread_changed(thread_id, deleted=True)

    def state_changed(self, thread_id: str) -> None:
        """Somebody has edited the state of a thread."""
        self.state_edited(thread_id)
        self._bus.thread_changed(thread_id, deleted=False)

    # What other server processes say

    def events_withheld(self, run_id: str, thread_id: str) -> None:
        """Those who follow the run, or its thread, miss what it says."""
        for subscription in self._streams(run_id):
            subscription.miss()
        for stream in self._threads.of(thread_id):
            stream.run_cut(run_id)

    def look_again(self) -> None:
        """Messages may have been lost, or a thread was deleted elsewhere: what is followed is looked at now."""
        self._recheck.wake()

    def state_edited(self, thread_id: str) -> None:
        """The state of a thread was edited, here or elsewhere."""
        for stream in self._threads.of(thread_id):
            stream.state_changed()

    def refresh_results(self, run_ids: Iterable[str]) -> None:
        """Asks storage about runs that are believed to have ended without a word of their workers."""
        run_ids = list(run_ids)
        if not run_ids:
            return
        self._threads.check()
        followed = [run_id for run_id in run_ids if run_id in self._subscriptions]
        if followed:
            self._recheck.read(followed, told=False)
