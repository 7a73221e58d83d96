"""Brings events and ends of runs to those who follow them.

Nothing here is needed for a run to end; a broker that knows nothing only makes subscriptions wait for the next
recheck, which asks storage.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from runyard.runtime.bus.messages import Message, PackedEvent
from runyard.runtime.bus.workers import Workers
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, Interest, RunResult
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.workers import EndedRuns
from runyard.runtime.streams.events import Event, EventId, EventLog
from runyard.runtime.streams.subscriptions import ResultWaiter, RunSubscription, Subscription
from runyard.runtime.streams.thread_subscription import ThreadSubscription
from runyard.runtime.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

RECHECK_INTERVAL = 2.0
"""Seconds between questions to storage about followed runs: for ends whose message was lost."""

RECHECKED_TOGETHER = 100
"""Runs that are asked about in one read."""


class Broker:
    """The subscriptions of this process. All methods run on the API's event loop."""

    def __init__(self, storage: Storage, workers: Workers, metrics: Metrics) -> None:
        self._storage = storage
        self._log = EventLog(storage.events)
        self._workers = workers
        self._metrics = metrics
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._thread_subscriptions: dict[str, list[ThreadSubscription]] = {}
        self._recheck: asyncio.Task[None] | None = None
        self._refreshing: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins to hear from workers and to recheck."""
        self._workers.listen(self)
        self._recheck = asyncio.create_task(self._recheck_repeatedly(), name="recheck followed runs")

    async def stop(self) -> None:
        """Ends the rechecking."""
        if self._recheck is not None:
            self._recheck.cancel()
            await asyncio.gather(self._recheck, *self._refreshing, return_exceptions=True)

    # Subscribing

    def wait_for_result(self, run_id: str, *, announce: bool) -> ResultWaiter:
        """`announce`: the run is there already, so workers have to be told that somebody waits."""
        waiter = ResultWaiter(run_id, self._unsubscribe, announced=announce)
        self._subscribe(waiter, Interest.ANSWER)
        return waiter

    def subscribe(
        self, run_id: str, *, announce: bool, resumable: bool, modes: frozenset[str] | None = None
    ) -> RunSubscription:
        """The events of a run, of the given modes (None: of all). `announce`: as in `wait_for_result`."""
        subscription = RunSubscription(
            run_id,
            self._unsubscribe,
            lambda number: self._log.of_run(run_id, after=number),
            announced=announce,
            resumable=resumable,
            modes=modes,
        )
        self._subscribe(subscription, Interest.EVENTS)
        return subscription

    def subscribe_thread(self, thread_id: str, modes: frozenset[str]) -> ThreadSubscription:
        """The events of all runs of a thread, those to come included, until it is closed."""

        async def read_stored(event_id: EventId) -> list[Event]:
            return await self._log.of_thread(thread_id, after=event_id)

        subscription = ThreadSubscription(
            thread_id, self._unsubscribe_thread, read_stored, partial(self._storage.threads.values, thread_id), modes
        )
        self._thread_subscriptions.setdefault(thread_id, []).append(subscription)
        self._workers.broadcast("follow_thread", thread_id)
        return subscription

    def _subscribe(self, subscription: Subscription, interest: Interest) -> None:
        self._subscriptions.setdefault(subscription.run_id, []).append(subscription)
        if subscription.announced:
            self._workers.broadcast("follow", subscription.run_id, int(interest))

    def _unsubscribe(self, subscription: Subscription) -> None:
        others = self._subscriptions.get(subscription.run_id)
        if others is None or subscription not in others:
            return
        others.remove(subscription)
        if not others:
            del self._subscriptions[subscription.run_id]
            if subscription.announced:
                self._workers.broadcast("unfollow", subscription.run_id)

    def _unsubscribe_thread(self, subscription: ThreadSubscription) -> None:
        thread_id = subscription.thread_id
        others = self._thread_subscriptions.get(thread_id, [])
        if subscription in others:
            others.remove(subscription)
            if not others:
                del self._thread_subscriptions[thread_id]
                self._workers.broadcast("unfollow_thread", thread_id)

    # What workers say

    def interests(self) -> Iterator[Message]:
        """What is followed now, as messages to a worker that has just connected."""
        for run_id, subscriptions in self._subscriptions.items():
            events = any(isinstance(subscription, RunSubscription) for subscription in subscriptions)
            yield "follow", run_id, int(Interest.EVENTS if events else Interest.ANSWER)
        for thread_id in self._thread_subscriptions:
            yield "follow_thread", thread_id

    def publish(self, run_id: str, thread_id: str, events: Sequence[PackedEvent]) -> None:
        """Events of a run, in order."""
        subscriptions: list[Subscription] = [
            *self._subscriptions.get(run_id, ()),
            *self._thread_subscriptions.get(thread_id, ()),
        ]
        for event_id, name, data in events:
            event = Event(name, data, event_id)
            for subscription in subscriptions:
                subscription.add(event)

    def run_ended(
        self, run_id: str, thread_id: str, status: str, answer: bytes | None, waited: float, ran: float
    ) -> None:
        """A worker reports the end of a run; without an `answer` it is read from storage, if somebody waits."""
        self._metrics.run_ended(status, waited, ran)
        for subscription in self._thread_subscriptions.get(thread_id, ()):
            subscription.run_done(run_id)
        if run_id in self._subscriptions:
            if answer is None:
                self.refresh_results([run_id])
            else:
                self._deliver(RunResult(run_id, status, answer))  # type: ignore[arg-type]

    # What services say

    def announce_cancellation(self, result: CancelResult, action: CancelAction) -> None:
        """Passes on what a cancel request did: to workers, and to those who follow what has ended by it."""
        for run_id in result.requested:
            self._workers.broadcast("cancel", run_id, action)
        self._workers.wake(result.promoted)
        if result.webhook:
            self._workers.webhook_due()
        self.refresh_results(result.ended)

    def runs_ended_unasked(self, result: EndedRuns, ran: float) -> None:
        """Runs were ended in their workers' place, after so many seconds or more: whatever is left of them stops."""
        for run_id, thread_id, status in result.ended:
            self._workers.broadcast("cancel", run_id, "lost")
            self.run_ended(run_id, thread_id, status, None, 0.0, ran)
        self._workers.wake(result.promoted)
        if result.webhook:
            self._workers.webhook_due()

    def run_deleted(self, run_id: str) -> None:
        """The run is no more: its worker stops, those who follow it learn it."""
        self._workers.broadcast("cancel", run_id, "lost")
        self.refresh_results([run_id])

    def thread_deleted(self, thread_id: str) -> None:
        """The thread is no more: its streams end."""
        for subscription in self._thread_subscriptions.pop(thread_id, ()):
            subscription.end(RunResult("", "interrupted", b"null"))
        self._workers.broadcast("unfollow_thread", thread_id)

    def state_changed(self, thread_id: str) -> None:
        """Somebody has edited the state of a thread."""
        for subscription in self._thread_subscriptions.get(thread_id, ()):
            subscription.state_changed()

    # Results from storage

    def refresh_results(self, run_ids: Iterable[str]) -> None:
        """Asks storage about runs that are believed to have ended."""
        followed = [run_id for run_id in run_ids if run_id in self._subscriptions]
        if followed:
            task = asyncio.create_task(self._read_results(followed), name="read results")
            self._refreshing.add(task)
            task.add_done_callback(self._refreshing.discard)

    async def _read_results(self, run_ids: Sequence[str]) -> None:
        for result in await self._storage.runs.ended(run_ids):
            self._deliver(result)

    def _deliver(self, result: RunResult) -> None:
        for subscription in self._subscriptions.pop(result.run_id, ()):
            subscription.end(result)

    async def _recheck_repeatedly(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_INTERVAL)
            before = asyncio.get_running_loop().time() - RECHECK_INTERVAL
            followed = [
                run_id
                for run_id, subscriptions in self._subscriptions.items()
                if any(subscription.since < before for subscription in subscriptions)
            ]
            try:
                for start in range(0, len(followed), RECHECKED_TOGETHER):
                    await self._read_results(followed[start : start + RECHECKED_TOGETHER])
            except Exception:  # storage may answer the next time; those who wait rest on it
                logger.exception("followed runs could not be looked at; they are at the next interval")
