"""What other server processes say, taken in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import msgspec

from runyard.runtime.bus.messages import (
    Cancel,
    Ended,
    EventsStored,
    Flush,
    Flushed,
    Follow,
    FollowThread,
    RunEvents,
    RunsReady,
    Unfollow,
    UnfollowThread,
)
from runyard.runtime.bus.peers.confirming import Confirmations
from runyard.runtime.bus.peers.inbox import Inbox
from runyard.runtime.bus.peers.membership import Membership
from runyard.runtime.bus.peers.messages import (
    PACKET,
    Alive,
    Confirm,
    Confirmed,
    EventsWithheld,
    Interests,
    Leaving,
    Mine,
    Packet,
    PeerMessage,
    RunsChanged,
    ThreadChanged,
)
from runyard.runtime.bus.peers.servers import OtherServer

GATHERING = 0.01
"""Seconds in which runs are gathered that are to be looked at, since others say so."""


class Hearing:
    """Takes packets in, and sees to it that what is missed is made up for: after a gap, either side says anew what it
    follows, and workers that are told again who follows a run say how far its events are stored."""

    def __init__(self, membership: Membership, confirmations: Confirmations) -> None:
        self._here = membership
        self._confirmations = confirmations
        self._to_look_at: set[str] = set()
        self._looking: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Looks at nothing more."""
        if self._looking is not None:
            self._looking.cancel()

    def arrived(self, data: bytes, *, to_all: bool) -> None:
        """A packet has come."""
        here = self._here
        try:
            packet = PACKET.decode(data)
        except msgspec.DecodeError:
            return  # it is of nobody who speaks as this does
        if packet.sender == here.address:
            return
        server = here.servers.heard(packet.sender, time.monotonic())
        inbox = server.to_all if to_all else server.to_one
        if not inbox.follows(packet):
            self._missed(server)
        self._receive(server, inbox, packet, to_all=to_all)
        if server.address in here.servers and server.is_to_be_asked(time.monotonic()):
            here.tell_alive(server.address, asks=True)

    def _missed(self, server: OtherServer) -> None:
        server.missed()
        self._here.tell_interests(server.address)
        if self._here.runs is not None:
            self._here.runs.look_again()

    def _receive(self, server: OtherServer, inbox: Inbox, packet: Packet, *, to_all: bool) -> None:
        runs = self._here.runs
        if runs is None:
            return
        for message in inbox.messages(packet):
            if isinstance(message, RunEvents):  # the most frequent first
                if to_all:
                    self._answer(server, message.run_id)
                runs.publish(message.run_id, message.thread_id, message.events, message.first, message.before)
                continue
            match message:
                case Ended(run_id, thread_id, status, answer, last, waited, ran):
                    runs.run_ended(run_id, thread_id, status, answer, last, waited, ran, elsewhere=True)
                case EventsStored(run_id, thread_id, number):
                    if to_all:
                        self._answer(server, run_id)
                    runs.events_stored(run_id, thread_id, number)
                case EventsWithheld(run_id, thread_id):
                    if to_all:
                        self._answer(server, run_id)
                    runs.events_withheld(run_id, thread_id)
                case RunsChanged(run_ids):
                    self._look_at(run_ids)
                case ThreadChanged(thread_id, deleted):
                    if deleted:
                        runs.look_again()
                    else:
                        runs.state_edited(thread_id)
                case RunsReady() | Cancel() | Flush() | Flushed():
                    self._work(server, message)
                case _:
                    self._learn(server, message)

    def _answer(self, server: OtherServer, run_id: str) -> None:
        """Where all were told of a run that this process was to follow."""
        if self._here.own.is_asker(run_id):
            self._here.outbox.put(server.address, Mine(run_id))

    def _work(self, server: OtherServer, message: RunsReady | Cancel | Flush | Flushed) -> None:
        """What concerns workers."""
        workers = self._here.workers
        if workers is None:
            return
        match message:
            case RunsReady(count):
                workers.woken(count)
            case Flush(number):
                workers.flush_asked(server.address, number)
            case Flushed():
                workers.heard(server.address, message)
            case Cancel(run_id, action):
                self._here.links.tell(message)
                if action == "lost":
                    self._look_at([run_id])
                else:
                    self._here.servers.cancels(server.address, run_id, time.monotonic())

    def _learn(self, server: OtherServer, message: PeerMessage) -> None:
        """That the process is there, and what it follows; workers are told."""
        here, peer = self._here, server.address
        match message:
            case Follow(run_id, interest):
                here.followers.follow_run(peer, run_id, interest)
                here.links.tell(message)
            case Unfollow(run_id):
                here.followers.unfollow_run(peer, run_id)
                here.askers.left(run_id, peer)
                here.unfollowed([run_id], ())
            case FollowThread(thread_id):
                here.followers.follow_thread(peer, thread_id)
                here.links.tell(message)
            case UnfollowThread(thread_id):
                here.followers.unfollow_thread(peer, thread_id)
                here.unfollowed((), [thread_id])
            case Confirm(number):
                here.say(peer, Confirmed(number))
            case Confirmed(number):
                self._confirmations.answered(peer, number)
            case Mine(run_id):
                here.askers.answered(run_id, peer)
            case Interests(runs, threads):
                left = here.followers.learn(peer, message)
                for run_id, interest in runs:
                    here.links.tell(Follow(run_id, interest))
                for thread_id in threads:
                    here.links.tell(FollowThread(thread_id))
                here.unfollowed(*left)
                server.said_interests(message)
            case Alive(workers, room, asks):
                server.workers, server.room = workers, room
                if asks:
                    here.tell_alive(peer, asks=False)
                    here.tell_interests(peer)
            case Leaving():
                here.forget(server)

    def _look_at(self, run_ids: Iterable[str]) -> None:
        """Once for all that is said in a moment."""
        self._to_look_at.update(run_ids)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(GATHERING, self._look)

    def _look(self) -> None:
        self._looking = None
        run_ids, self._to_look_at = self._to_look_at, set()
        if self._here.runs is not None:
            self._here.runs.refresh_results([*run_ids])
