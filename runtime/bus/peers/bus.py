"""A server process's end of the bus among several server processes, each with workers of its own."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Collection, Iterable, Sequence

import msgspec

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.messages import (
    Cancel,
    Ended,
    EventsStored,
    Flush,
    Flushed,
    Follow,
    Followed,
    FollowThread,
    RunEvents,
    RunMessage,
    RunsReady,
    ToWorker,
    Unfollow,
    UnfollowThread,
    Welcome,
)
from runyard.runtime.bus.peers.askers import Askers
from runyard.runtime.bus.peers.followers import Followers
from runyard.runtime.bus.peers.inbox import Inbox
from runyard.runtime.bus.peers.lengths import shortened
from runyard.runtime.bus.peers.messages import (
    PACKET,
    Alive,
    Interests,
    Leaving,
    Mine,
    Packet,
    PeerMessage,
    RunsChanged,
    ThreadChanged,
)
from runyard.runtime.bus.peers.outbox import Outbox
from runyard.runtime.bus.peers.own_interests import OwnInterests
from runyard.runtime.bus.peers.servers import RENEWAL, OtherServer, OtherServers
from runyard.runtime.bus.peers.transport import Packed, Transport, TransportState
from runyard.runtime.bus.port import RunListener, WorkerListener

logger = logging.getLogger(__name__)

EVENTS = 2
"""The interest of those who follow events, see the storage port."""
TOGETHER = 100
"""Runs that one message names."""
GATHERING = 0.01
"""Seconds in which runs are gathered that are to be looked at, since others say so."""


class PeeredBus:
    """A `ServerBus`: that of this process's own workers, and what it exchanges with the other server processes.

    Others are told which runs and threads are followed here, and tell of these alone what their workers say. A run that
    is followed since it was written is not announced: the first that is said of it goes to all, see `Askers`. Nothing
    is believed for ever: each process says every few seconds that it is there, what follows from a gap in its messages
    or from its silence is in `OtherServers`, and after each gap both sides say anew what they follow.
    """

    def __init__(self, links: LinkedBus, transport: Transport, loops: Loops) -> None:
        """`links`: the bus of this process's own workers."""
        self.address = secrets.token_hex(8)
        self._links = links
        self._transport = transport
        self._outbox = Outbox(self.address, transport.packet_size, transport.wake)
        self._own = OwnInterests()
        self._followers = Followers()
        self._askers = Askers()
        self._servers = OtherServers()
        self._runs: RunListener | None = None
        self._workers: WorkerListener | None = None
        self._to_look_at: set[str] = set()
        self._looking: asyncio.TimerHandle | None = None
        self._was_connected = False
        self._dropped = 0
        self._renewing = BackgroundLoop("telling other servers of this one", self._renew, loops)
        links.relay = self

    async def start(self) -> None:
        """Finds the other server processes; those who hear of runs and workers are known by then."""
        await self._transport.start(self.address, self)
        self._renewing.start()

    async def stop(self) -> None:
        """Leaves the others."""
        await self._renewing.stop()
        if self._looking is not None:
            self._looking.cancel()
        self._outbox.put(None, Leaving())
        await self._transport.stop()

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
        return len(self._servers)

    @property
    def dropped(self) -> int:
        """How many messages were dropped so far since others were not carried fast enough."""
        return self._outbox.dropped

    # What this process says to its own workers and to others

    def hear_runs(self, listener: RunListener) -> None:
        self._runs = listener
        self._links.hear_runs(listener)

    def hear_workers(self, listener: WorkerListener) -> None:
        self._workers = listener
        self._links.hear_workers(listener)

    def follow_run(self, run_id: str, interest: int, *, announce: bool, new: bool = False) -> None:
        self._links.follow_run(run_id, interest, announce=announce, new=new)
        self._own.follow_run(run_id, announce=announce, new=new)
        if announce:
            self._say(None, Follow(run_id, interest))

    def unfollow_run(self, run_id: str, *, announce: bool) -> None:
        announce = self._own.unfollow_run(run_id) or announce
        self._links.unfollow_run(run_id, announce=announce and not self._followers.of_run(run_id))
        if announce:
            self._say(None, Unfollow(run_id))

    def follow_thread(self, thread_id: str) -> None:
        self._links.follow_thread(thread_id)
        if self._own.follow_thread(thread_id):
            self._say(None, FollowThread(thread_id))

    def unfollow_thread(self, thread_id: str) -> None:
        self._own.unfollow_thread(thread_id)
        if not self._followers.of_thread(thread_id):
            self._links.unfollow_thread(thread_id)
        self._say(None, UnfollowThread(thread_id))

    def wake(self, workers: Iterable[str]) -> None:
        self._links.wake(workers)

    def tell(self, message: ToWorker, worker: str | None = None) -> None:
        self._links.tell(message, worker)
        if worker is None and isinstance(message, Cancel | Flush):
            self._say(None, message)
        elif isinstance(message, Welcome):
            self._renewing.wake()  # others may wake it from now on

    def drop(self, worker: str) -> None:
        self._links.drop(worker)

    def wake_elsewhere(self, ready: int) -> None:
        chosen = self._servers.choose(ready, time.monotonic())
        if chosen is None:
            self._say(None, RunsReady(ready))
        else:
            for address in chosen:
                self._say(address, RunsReady(1))

    def elsewhere(self) -> Collection[str]:
        return self._servers.with_workers()

    def answer_flush(self, server: str, number: int) -> None:
        self._say(server, Flushed(number))

    def runs_changed(self, run_ids: Sequence[str]) -> None:
        for start in range(0, len(run_ids), TOGETHER):
            self._say(None, RunsChanged(list(run_ids[start : start + TOGETHER])))

    def thread_changed(self, thread_id: str, *, deleted: bool) -> None:
        for address in self._followers.of_thread(thread_id):
            self._say(address, ThreadChanged(thread_id, deleted))

    def _say(self, to: str | None, message: PeerMessage) -> None:
        if self._servers:  # what nobody hears is said when somebody comes, if it still matters
            self._outbox.put(to, message)

    # What its workers say, for others

    def interests(self) -> Iterable[Followed]:
        """What other server processes follow now."""
        return self._followers.all()

    def relay(self, message: RunMessage) -> None:
        """What a worker of this process says about a run."""
        if not self._servers:
            return
        run_id = message.run_id
        ended = isinstance(message, Ended)
        to = self._followers.of(run_id, message.thread_id, 0 if ended else EVENTS)
        if ended:
            to.update(self._servers.cancelling(run_id))
            self._followers.run_ended(run_id)
        if not isinstance(message, EventsStored) and message.asked and not self._own.is_asker(run_id):
            asker = self._askers.ended(run_id) if ended else self._askers.of(run_id, time.monotonic())
            if asker == "all":
                self._pass_on(None, message)
                return
            to.add(asker)
        for address in to:
            if address in self._servers:
                self._pass_on(address, message)

    def _pass_on(self, to: str | None, message: RunMessage) -> None:
        for short in shortened(message):
            if isinstance(short, RunEvents):
                if self._outbox.put(to, short, droppable=True):
                    continue
                if not short.first:
                    continue  # its reader notices by the numbers
                short = EventsStored(short.run_id, short.thread_id, short.first + len(short.events) - 1)
            self._outbox.put(to, short)

    # What a transport calls

    def take(self) -> Sequence[Packed]:
        """The next packets to be carried."""
        return self._outbox.take()

    def connected(self) -> None:
        """Others may be there of which nothing is known yet, and messages of those who are known may have been lost."""
        self._outbox.open()
        self._outbox.put(None, self._alive(asks=True))
        self._tell_interests(None)
        if self._was_connected and self._runs is not None:
            self._runs.look_again()
        self._was_connected = True

    def disconnected(self) -> None:
        """Nothing is carried until `connected`."""
        self._outbox.close()

    def arrived(self, data: bytes, *, to_all: bool) -> None:
        """A packet has come."""
        try:
            packet = PACKET.decode(data)
        except msgspec.DecodeError:
            return  # it is of nobody who speaks as this does
        if packet.sender == self.address:
            return
        server = self._servers.heard(packet.sender, time.monotonic())
        inbox = server.to_all if to_all else server.to_one
        if not inbox.follows(packet):
            self._missed(server)
        self._receive(server, inbox, packet, to_all=to_all)
        if server.address in self._servers and server.is_to_be_asked(time.monotonic()):
            self._outbox.put(server.address, self._alive(asks=True))

    def _missed(self, server: OtherServer) -> None:
        """It is asked what it follows; its workers, told again what is followed here, say how far events are stored."""
        server.missed()
        self._tell_interests(server.address)
        if self._runs is not None:
            self._runs.look_again()

    def _receive(self, server: OtherServer, inbox: Inbox, packet: Packet, *, to_all: bool) -> None:
        runs, workers = self._runs, self._workers
        if runs is None or workers is None:
            return
        sender = server.address
        for message in inbox.messages(packet):
            if isinstance(message, RunEvents):  # the most frequent first
                if to_all and self._own.is_asker(message.run_id):
                    self._outbox.put(sender, Mine(message.run_id))
                runs.publish(message.run_id, message.thread_id, message.events, message.first, message.before)
                continue
            match message:
                case Ended(run_id, thread_id, status, answer, last, waited, ran):
                    runs.run_ended(run_id, thread_id, status, answer, last, waited, ran, elsewhere=True)
                case EventsStored(run_id, thread_id, number):
                    if to_all and self._own.is_asker(run_id):
                        self._outbox.put(sender, Mine(run_id))
                    runs.events_stored(run_id, thread_id, number)
                case RunsReady(count):
                    workers.woken(count)
                case Cancel(run_id, action):
                    self._links.tell(message)
                    if action == "lost":
                        self._look_at([run_id])
                    else:
                        self._servers.cancels(sender, run_id, time.monotonic())
                case Flush(number):
                    workers.flush_asked(sender, number)
                case Flushed():
                    workers.heard(sender, message)
                case RunsChanged(run_ids):
                    self._look_at(run_ids)
                case ThreadChanged(thread_id, deleted):
                    if deleted:
                        self._look_at([])
                    else:
                        runs.state_edited(thread_id)
                case Leaving():
                    self._forget(server)
                case Alive(count, room, asks):
                    server.workers, server.room = count, room
                    if asks:
                        self._outbox.put(sender, self._alive(asks=False))
                        self._tell_interests(sender)
                case _:
                    self._learn(server, message)

    def _learn(self, server: OtherServer, message: PeerMessage) -> None:
        """What the process follows; its workers are told."""
        peer = server.address
        match message:
            case Follow(run_id, interest):
                self._followers.follow_run(peer, run_id, interest)
                self._links.tell(message)
            case Unfollow(run_id):
                self._followers.unfollow_run(peer, run_id)
                self._askers.left(run_id, peer)
                self._unfollowed([run_id], ())
            case FollowThread(thread_id):
                self._followers.follow_thread(peer, thread_id)
                self._links.tell(message)
            case UnfollowThread(thread_id):
                self._followers.unfollow_thread(peer, thread_id)
                self._unfollowed((), [thread_id])
            case Mine(run_id):
                self._askers.answered(run_id, peer)
            case Interests():
                left = self._followers.learn(peer, message)
                for run_id, interest in message.runs:
                    self._links.tell(Follow(run_id, interest))
                for thread_id in message.threads:
                    self._links.tell(FollowThread(thread_id))
                self._unfollowed(*left)
                server.said_interests(message)

    def _unfollowed(self, run_ids: Iterable[str], thread_ids: Iterable[str]) -> None:
        """By one of those who followed them: the workers here are told where it was the last."""
        for run_id in run_ids:
            if not self._followers.of_run(run_id) and not self._own.follows_run(run_id):
                self._links.tell(Unfollow(run_id))
        for thread_id in thread_ids:
            if not self._followers.of_thread(thread_id) and not self._own.follows_thread(thread_id):
                self._links.tell(UnfollowThread(thread_id))

    def _look_at(self, run_ids: Iterable[str]) -> None:
        """Once for all that is said in a moment."""
        self._to_look_at.update(run_ids)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(GATHERING, self._look)

    def _look(self) -> None:
        self._looking = None
        run_ids, self._to_look_at = self._to_look_at, set()
        if self._runs is not None:
            self._runs.refresh_results([*run_ids] or [""])  # threads alone are looked at with any run

    # Coming, staying and going

    def _alive(self, *, asks: bool) -> Alive:
        workers, room = (0, 0) if self._workers is None else self._workers.capacity()
        return Alive(workers, room, asks)

    def _tell_interests(self, to: str | None) -> None:
        followed = [] if self._runs is None else list(self._runs.interests())
        runs = [(each.run_id, each.interest) for each in followed if isinstance(each, Follow)]
        threads = [each.thread_id for each in followed if isinstance(each, FollowThread)]
        self._own.announced(run_id for run_id, _ in runs)
        most = max(len(runs), len(threads), 1)
        for start in range(0, most, TOGETHER):
            end = start + TOGETHER
            message = Interests(runs[start:end], threads[start:end], first=start == 0, last=end >= most)
            self._outbox.put(to, message)

    async def _renew(self) -> float:
        now = time.monotonic()
        self._outbox.put(None, self._alive(asks=False))
        for server in self._servers.silent(now):
            logger.warning("server %s has said nothing for long; it is forgotten until it does", server.address)
            self._forget(server)
        self._askers.tidy(now)
        if self._outbox.dropped > self._dropped:
            logger.warning(
                "%d messages to other servers were dropped: they are not carried fast enough; streams that miss some "
                "read them from storage, or end with an error",
                self._outbox.dropped - self._dropped,
            )
            self._dropped = self._outbox.dropped
        return RENEWAL

    def _forget(self, server: OtherServer) -> None:
        self._servers.forget(server.address)
        self._outbox.forget(server.address)
        self._unfollowed(*self._followers.forget(server.address))
        if self._workers is not None:
            self._workers.lost(server.address)
