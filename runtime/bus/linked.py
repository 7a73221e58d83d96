"""An API process's end of a bus that has a link to each worker."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from runyard.runtime.bus.messages import (
    Ended,
    EventsStored,
    Follow,
    Followed,
    FollowThread,
    FromWorker,
    Hello,
    RunEvents,
    RunMessage,
    ToWorker,
    Unfollow,
    UnfollowThread,
    Wake,
)
from runyard.runtime.bus.port import RunListener, WorkerListener


class WorkerLink(Protocol):
    """The API process's end of a connection to a worker."""

    def send(self, message: ToWorker) -> None:
        """Sends a message, in order; never blocks. After `close`, nothing is sent any more."""

    def close(self) -> None:
        """Sends what is left and ends the connection."""


class Relay(Protocol):
    """Passes on to other server processes what workers say here, and knows what these follow."""

    def relay(self, message: RunMessage) -> None:
        """What a worker says about a run."""

    def interests(self) -> Iterable[Followed]:
        """What other server processes follow now."""


class LinkedBus:
    """A `ServerBus` of one process alone. A worker's topics are its link: what it sends comes here, whether or not it
    is followed; it is told nothing before it says hello."""

    def __init__(self) -> None:
        self._runs: RunListener | None = None
        self._workers: WorkerListener | None = None
        self.relay: Relay | None = None
        """Where there are other server processes."""
        self._names: dict[WorkerLink, str | None] = {}
        self._links: dict[str, WorkerLink] = {}

    def hear_runs(self, listener: RunListener) -> None:
        self._runs = listener

    def hear_workers(self, listener: WorkerListener) -> None:
        self._workers = listener

    # What links call

    def attach(self, link: WorkerLink) -> None:
        """A worker has connected."""
        self._names[link] = None

    def detach(self, link: WorkerLink) -> None:
        """A worker's connection has ended."""
        name = self._names.pop(link, None)
        if name is not None and self._workers is not None:
            del self._links[name]
            self._workers.lost(name)

    def receive(self, link: WorkerLink, message: FromWorker) -> None:
        """A message from a worker; from one that is not attached, nothing is heard."""
        runs, workers = self._runs, self._workers
        if link not in self._names or runs is None or workers is None:
            return
        if isinstance(message, RunEvents):  # the most frequent first, and without a pattern, which takes longer
            workers.heard(self._names[link], message)
            if self.relay is not None:
                self.relay.relay(message)
            runs.publish(message.run_id, message.thread_id, message.events, message.first, message.before)
            return
        if isinstance(message, Hello):
            self._greet(link, message.worker, runs)
        workers.heard(self._names[link], message)
        if self.relay is not None and isinstance(message, Ended | EventsStored):
            self.relay.relay(message)
        match message:
            case Ended():
                runs.run_ended(
                    message.run_id,
                    message.thread_id,
                    message.status,
                    message.answer,
                    message.last,
                    message.waited,
                    message.ran,
                )
            case EventsStored():
                runs.events_stored(message.run_id, message.thread_id, message.number)

    def _greet(self, link: WorkerLink, name: str, runs: RunListener) -> None:
        """A worker listens from now on. It may say hello more than once."""
        before = self._links.get(name)
        if before is not None and before is not link:
            self.detach(before)
        self._names[link] = name
        self._links[name] = link
        for followed in runs.interests():
            link.send(followed)
        if self.relay is not None:
            for followed in self.relay.interests():
                link.send(followed)

    # Topics

    def follow_run(self, run_id: str, interest: int, *, announce: bool, new: bool = False) -> None:
        if announce:
            self.tell(Follow(run_id, interest))

    def unfollow_run(self, run_id: str, *, announce: bool) -> None:
        if announce:
            self.tell(Unfollow(run_id))

    def follow_thread(self, thread_id: str) -> None:
        self.tell(FollowThread(thread_id))

    def unfollow_thread(self, thread_id: str) -> None:
        self.tell(UnfollowThread(thread_id))

    def wake(self, workers: Iterable[str]) -> None:
        for worker in workers:
            self.tell(Wake(), worker)

    def tell(self, message: ToWorker, worker: str | None = None) -> None:
        if worker is None:
            for link in self._links.values():
                link.send(message)
        elif worker in self._links:
            self._links[worker].send(message)

    def runs_changed(self, run_ids: Sequence[str]) -> None:
        pass  # nobody else is there

    def thread_changed(self, thread_id: str, *, deleted: bool) -> None:
        pass

    def wake_elsewhere(self, ready: int) -> None:
        pass

    def elsewhere(self) -> Collection[str]:
        return ()

    async def confirmed(self) -> None:
        pass

    def answer_flush(self, server: str, number: int) -> None:
        pass

    @property
    def polls(self) -> bool:
        return False

    def drop(self, worker: str) -> None:
        link = self._links.get(worker)
        if link is not None:
            self.detach(link)
            link.close()
