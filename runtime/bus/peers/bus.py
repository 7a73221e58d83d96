"""A server process's end of the bus among several server processes, each with workers of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Sequence

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.messages import (
    Cancel,
    Flush,
    Flushed,
    Follow,
    FollowThread,
    RunsReady,
    ToWorker,
    Unfollow,
    UnfollowThread,
    Welcome,
)
from runyard.runtime.bus.peers.confirming import Confirmations
from runyard.runtime.bus.peers.hearing import Hearing
from runyard.runtime.bus.peers.membership import TOGETHER, Membership
from runyard.runtime.bus.peers.messages import Leaving, RunsChanged, ThreadChanged
from runyard.runtime.bus.peers.relay import RunRelay
from runyard.runtime.bus.peers.servers import RENEWAL
from runyard.runtime.bus.peers.transport import Packed, Transport, TransportState
from runyard.runtime.bus.port import RunListener, WorkerListener

logger = logging.getLogger(__name__)


class PeeredBus:
    """A `ServerBus`: that of this process's own workers, and what it exchanges with the other server processes.

    Others are told which runs and threads are followed here, and tell of these alone what their workers say. Nothing is
    believed for long: each process says every few seconds that it is there, one that is silent for long is forgotten,
    and after a gap in what one says both say anew what they follow.
    """

    def __init__(self, links: LinkedBus, transport: Transport, loops: Loops, *, secret: bool = False) -> None:
        """`links`: the bus of this process's own workers. `secret`: what runs say and answer is not passed on; others
        are only told that it is stored, or that it is not to be had."""
        self._links = links
        self._transport = transport
        self._here = here = Membership(links, transport.packet_size, transport.wake)
        self._confirmations = Confirmations(here)
        self._hearing = Hearing(here, self._confirmations)
        self._was_connected = False
        self._dropped = 0
        self._renewing = BackgroundLoop("telling other servers of this one", self._renew, loops)
        links.relay = RunRelay(here, secret=secret)

    async def start(self) -> None:
        """Finds the other server processes; those who hear of runs and workers are known by then."""
        await self._transport.start(self._here.address, self)
        self._renewing.start()

    async def stop(self) -> None:
        """Leaves the others."""
        await self._renewing.stop()
        self._hearing.stop()
        self._here.outbox.put(None, Leaving())
        await self._transport.stop()

    @property
    def address(self) -> str:
        """By which other server processes know this one."""
        return self._here.address

    @property
    def state(self) -> TransportState:
        """How other server processes are reached."""
        return self._transport.state

    @property
    def polls(self) -> bool:
        return self._transport.state != "connected"

    @property
    def servers(self) -> int:
        """How many other server processes are known."""
        return len(self._here.servers)

    @property
    def dropped(self) -> int:
        """How many messages were dropped so far since others were not carried fast enough."""
        return self._here.outbox.dropped

    # What this process says to its own workers and to others

    def hear_runs(self, listener: RunListener) -> None:
        self._here.runs = listener
        self._links.hear_runs(listener)

    def hear_workers(self, listener: WorkerListener) -> None:
        self._here.workers = listener
        self._links.hear_workers(listener)

    def follow_run(self, run_id: str, interest: int, *, announce: bool, new: bool = False) -> None:
        self._links.follow_run(run_id, interest, announce=announce, new=new)
        self._here.own.follow_run(run_id, announce=announce, new=new)
        if announce:
            self._here.say(None, Follow(run_id, interest))

    def unfollow_run(self, run_id: str, *, announce: bool) -> None:
        announce = self._here.own.unfollow_run(run_id) or announce
        self._links.unfollow_run(run_id, announce=announce and not self._here.followers.of_run(run_id))
        if announce:
            self._here.say(None, Unfollow(run_id))

    def follow_thread(self, thread_id: str) -> None:
        self._links.follow_thread(thread_id)
        if self._here.own.follow_thread(thread_id):
            self._here.say(None, FollowThread(thread_id))

    def unfollow_thread(self, thread_id: str) -> None:
        self._here.own.unfollow_thread(thread_id)
        if not self._here.followers.of_thread(thread_id):
            self._links.unfollow_thread(thread_id)
        self._here.say(None, UnfollowThread(thread_id))

    def wake(self, workers: Iterable[str]) -> None:
        self._links.wake(workers)

    def tell(self, message: ToWorker, worker: str | None = None) -> None:
        self._links.tell(message, worker)
        if worker is None and isinstance(message, Cancel | Flush):
            self._here.say(None, message)
        elif isinstance(message, Welcome):
            self._renewing.wake()  # others may wake that worker from now on

    def drop(self, worker: str) -> None:
        self._links.drop(worker)

    def wake_elsewhere(self, ready: int) -> None:
        chosen = self._here.servers.choose(ready, time.monotonic())
        if chosen is None:
            self._here.say(None, RunsReady(ready))
        else:
            for address in chosen:
                self._here.say(address, RunsReady(1))

    def elsewhere(self) -> Collection[str]:
        return self._here.servers.with_workers()

    async def confirmed(self) -> None:
        if not self.polls:
            await self._confirmations.wait()

    def answer_flush(self, server: str, number: int) -> None:
        self._here.say(server, Flushed(number))

    def runs_changed(self, run_ids: Sequence[str]) -> None:
        for start in range(0, len(run_ids), TOGETHER):
            self._here.say(None, RunsChanged(list(run_ids[start : start + TOGETHER])))

    def thread_changed(self, thread_id: str, *, deleted: bool) -> None:
        for address in self._here.followers.of_thread(thread_id):
            self._here.say(address, ThreadChanged(thread_id, deleted))

    # What a transport calls

    def take(self) -> Sequence[Packed]:
        """The next packets to be carried."""
        return self._here.outbox.take()

    def connected(self) -> None:
        """Others may be there of which nothing is known yet, and messages of those who are known may have been lost."""
        self._here.outbox.open()
        self._here.tell_alive(None, asks=True)
        self._here.tell_interests(None)
        if self._was_connected and self._here.runs is not None:
            self._here.runs.look_again()
        self._was_connected = True

    def disconnected(self) -> None:
        """Nothing is carried until `connected`."""
        self._here.outbox.close()

    def arrived(self, data: bytes, *, to_all: bool) -> None:
        """A packet has come."""
        self._hearing.arrived(data, to_all=to_all)

    async def _renew(self) -> float:
        now = time.monotonic()
        self._here.tell_alive(None, asks=False)
        for server in self._here.servers.silent(now):
            logger.warning("server %s has said nothing for long; it is forgotten until it does", server.address)
            self._here.forget(server)
        self._here.askers.tidy(now)
        dropped = self._here.outbox.dropped
        if dropped > self._dropped:
            logger.warning(
                "%d messages to other servers were dropped: they are not carried fast enough; streams that miss some "
                "read them from storage, or end with an error",
                dropped - self._dropped,
            )
            self._dropped = dropped
        return RENEWAL
