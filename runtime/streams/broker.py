"""What the API process knows of the present: its workers, and who follows which run.

Nothing here is needed for a run to end; a hub that knows nothing only makes followers wait for the next sweep,
which asks storage.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ormsgpack

from runyard.runtime.bus.unix_socket import Link, Message
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, Interest, RunResult
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.subscriptions import Event, ResultWaiter, RunSubscription, Subscription
from runyard.runtime.streams.thread_subscription import ThreadSubscription, event_time
from runyard.runtime.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

RECHECK_INTERVAL = 2.0
"""Seconds between questions to storage about followed runs: for ends whose message was lost."""

WAKE_TIMEOUT = 0.1
"""Seconds in which a worker answers a wake-up; then the others are woken too."""


class WorkerPeer:
    """A connected worker as the hub sees it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.worker: str | None = None
        self.pid = 0
        self.running = 0
        self.woken_at: float | None = None


class Hub:
    """Routes messages between workers and followers. All methods run on the API's event loop."""

    def __init__(self, storage: Storage, metrics: Metrics, webhook_due: Callable[[], None]) -> None:
        self._storage = storage
        self._metrics = metrics
        self._webhook_due = webhook_due
        self._peers: dict[Link, WorkerPeer] = {}
        self._followers: dict[str, list[Subscription]] = {}
        self._thread_watches: dict[str, list[ThreadSubscription]] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._impatience: asyncio.TimerHandle | None = None
        self._looking: set[asyncio.Task[None]] = set()
        self.first_worker = asyncio.Event()
        """Set once a worker has said that it is ready."""
        self.broken: str | None = None
        """Why a worker could not load the graphs."""

    def start(self) -> None:
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="hub sweep")

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, *self._looking, return_exceptions=True)
        if self._impatience is not None:
            self._impatience.cancel()

    # Workers

    def attach(self, link: Link) -> None:
        """A worker has connected."""
        self._peers[link] = WorkerPeer(link)
        for run_id, followers in self._followers.items():
            level = max(
                (
                    Interest.EVENTS if isinstance(follower, RunSubscription) else Interest.ANSWER
                    for follower in followers
                ),
                default=Interest.NONE,
            )
            link.send("watch", run_id, int(level))
        for thread_id in self._thread_watches:
            link.send("watch_thread", thread_id)

    def detach(self, link: Link) -> None:
        """A worker has gone; its runs are the supervisor's business."""
        self._peers.pop(link, None)
        self._metrics.workers.set(len(self._peers))

    def receive(self, link: Link, message: Message) -> None:
        """A message from a worker."""
        peer = self._peers.get(link)
        if peer is None:
            return
        peer.woken_at = None
        match message[0]:
            case "events":
                self._publish(message[1], message[2], message[3])
            case "ended":
                peer.running = max(0, peer.running - 1)
                self._end(*message[1:])
            case "load":
                peer.running = message[1]
            case "ready":
                self.wake(message[1])
            case "webhook":
                self._webhook_due()
            case "hello":
                peer.worker, peer.pid = message[1], message[2]
                self._metrics.workers.set(len(self._peers))
                link.send("wake")
                self.first_worker.set()
            case "broken":
                self.broken = message[1]
                if self.first_worker.is_set():
                    logger.error("a worker cannot load the graphs: %s", message[1])

    def pids(self) -> list[int]:
        """The processes of the connected workers."""
        return [peer.pid for peer in self._peers.values() if peer.pid]

    def wake(self, ready: int) -> None:
        """Tells workers that so many runs are ready."""
        if ready <= 0 or not self._peers:
            return
        now = asyncio.get_running_loop().time()
        waiting = [peer for peer in self._peers.values() if peer.woken_at is None]
        if ready == 1 and waiting:
            chosen: Iterable[WorkerPeer] = [min(waiting, key=lambda peer: peer.running)]
        else:
            chosen = self._peers.values()
        for peer in chosen:
            if peer.woken_at is None:
                peer.woken_at = now
                peer.running += 1
            peer.link.send("wake")
        if self._impatience is None:
            self._impatience = asyncio.get_running_loop().call_later(WAKE_TIMEOUT, self._wake_others)

    def _wake_others(self) -> None:
        """A worker that does not answer is busy with something that blocks it: the others may have room."""
        self._impatience = None
        if any(peer.woken_at is not None for peer in self._peers.values()):
            for peer in self._peers.values():
                if peer.woken_at is None:
                    peer.link.send("wake")

    def stuck(self, seconds: float) -> bool:
        """Whether no worker has answered a wake-up for that long: something blocks all of them."""
        before = asyncio.get_running_loop().time() - seconds
        return bool(self._peers) and all(
            peer.woken_at is not None and peer.woken_at < before for peer in self._peers.values()
        )

    def announce_cancellation(self, outcome: CancelResult, action: CancelAction) -> None:
        """Passes on what a cancel request did: to workers, and to followers of what has ended by it."""
        for run_id in outcome.requested:
            self._broadcast("cancel", run_id, action)
        self.wake(outcome.promoted)
        self.refresh_results(outcome.ended)

    def drain(self) -> None:
        """Asks all workers to stop claiming, finish or give back what they run, and go."""
        self._broadcast("drain")

    def _broadcast(self, *message: Any) -> None:
        for peer in self._peers.values():
            peer.link.send(*message)

    # Followers

    def wait_for(self, run_id: str, *, announce: bool) -> ResultWaiter:
        """`announce`: the run is there already, so workers have to be told that somebody waits."""
        pending = ResultWaiter(self, run_id, announced=announce)
        self._follow(pending, Interest.ANSWER)
        return pending

    def watch(
        self, run_id: str, *, announce: bool, resumable: bool, modes: frozenset[str] | None = None
    ) -> RunSubscription:
        watch = RunSubscription(self, run_id, announced=announce, resumable=resumable, modes=modes)
        self._follow(watch, Interest.EVENTS)
        return watch

    def watch_thread(self, thread_id: str, modes: frozenset[str]) -> ThreadSubscription:
        """Follows all runs of a thread, those to come included, until it is closed."""
        watch = ThreadSubscription(self, thread_id, modes)
        self._thread_watches.setdefault(thread_id, []).append(watch)
        self._broadcast("watch_thread", thread_id)
        return watch

    def unwatch_thread(self, watch: ThreadSubscription) -> None:
        watches = self._thread_watches.get(watch.thread_id, [])
        if watch in watches:
            watches.remove(watch)
            if not watches:
                del self._thread_watches[watch.thread_id]
                self._broadcast("unwatch_thread", watch.thread_id)

    def forget_thread(self, thread_id: str) -> None:
        """The thread is no more: its streams end."""
        for watch in self._thread_watches.pop(thread_id, ()):
            watch.end(RunResult("", "interrupted", b"null"))
        self._broadcast("unwatch_thread", thread_id)

    def state_changed(self, thread_id: str) -> None:
        """Somebody has edited the state of a thread."""
        for watch in self._thread_watches.get(thread_id, ()):
            watch.state_changed()

    def forget_run(self, run_id: str) -> None:
        """The run is no more: its worker stops, its followers learn it."""
        self._broadcast("cancel", run_id, "lost")
        self.refresh_results([run_id])

    def _follow(self, follower: Subscription, level: Interest) -> None:
        self._followers.setdefault(follower.run_id, []).append(follower)
        if follower.announced:
            self._broadcast("watch", follower.run_id, int(level))

    def unfollow(self, follower: Subscription) -> None:
        followers = self._followers.get(follower.run_id)
        if followers is None or follower not in followers:
            return
        followers.remove(follower)
        if not followers:
            del self._followers[follower.run_id]
            if follower.announced:
                self._broadcast("unwatch", follower.run_id)

    def _publish(self, run_id: str, thread_id: str, events: Sequence[tuple[str | None, str, bytes]]) -> None:
        followers: list[Subscription] = [*self._followers.get(run_id, ()), *self._thread_watches.get(thread_id, ())]
        for event_id, name, data in events:
            event = Event(name, data, event_id)
            for follower in followers:
                follower.add(event)

    def _end(self, run_id: str, thread_id: str, status: str, answer: bytes | None, waited: float, ran: float) -> None:
        self._metrics.run_ended(status, waited, ran)
        for watch in self._thread_watches.get(thread_id, ()):
            watch.run_done(run_id)
        if run_id in self._followers:
            if answer is None:
                self.refresh_results([run_id])
            else:
                self._settle(RunResult(run_id, status, answer))  # type: ignore[arg-type]

    def _settle(self, ended: RunResult) -> None:
        for follower in self._followers.pop(ended.run_id, ()):
            follower.end(ended)

    def refresh_results(self, run_ids: Iterable[str]) -> None:
        """Asks storage about runs that are believed to have ended."""
        followed = [run_id for run_id in run_ids if run_id in self._followers]
        if followed:
            task = asyncio.create_task(self._look(followed), name="hub look")
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def _look(self, run_ids: Sequence[str]) -> None:
        for ended in await self._storage.runs.ended(run_ids):
            self._settle(ended)

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_INTERVAL)
            before = asyncio.get_running_loop().time() - RECHECK_INTERVAL
            followed = [
                run_id for run_id, followers in self._followers.items() if any(f.since < before for f in followers)
            ]
            for start in range(0, len(followed), 100):
                await self._look(followed[start : start + 100])

    async def stored_thread_events(self, thread_id: str, after: str) -> list[Event]:
        """The events of a thread's resumable runs behind an event id ("-1": all), from storage."""
        events: list[Event] = []
        for chunk in await self._storage.events.read_thread(thread_id):
            events += [Event(name, data, event_id) for event_id, name, data in ormsgpack.unpackb(chunk.data)]
        return [event for event in events if event_time(event.id) > event_time(after)]

    async def thread_values(self, thread_id: str) -> bytes | None:
        """What the thread holds now, as JSON."""
        return await self._storage.threads.values(thread_id)

    async def stored_events(self, run_id: str, after: int) -> list[Event]:
        """The events of a resumable run behind a number, from storage."""
        events: list[Event] = []
        for chunk in await self._storage.events.read(run_id, after):
            events += [Event(name, data, event_id) for event_id, name, data in ormsgpack.unpackb(chunk.data)]
        return [event for event in events if event.number > after]
