"""A server process among others: what it knows of them, and what it tells them of itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.messages import Follow, FollowThread, Unfollow, UnfollowThread
from runyard.runtime.bus.peers.askers import Askers
from runyard.runtime.bus.peers.followers import Followers
from runyard.runtime.bus.peers.messages import Alive, Interests, PeerMessage
from runyard.runtime.bus.peers.outbox import Outbox
from runyard.runtime.bus.peers.own_interests import OwnInterests
from runyard.runtime.bus.peers.servers import OtherServer, OtherServers
from runyard.runtime.bus.port import RunListener, WorkerListener

TOGETHER = 100
"""Runs that one message names."""


class Membership:
    """What the parts of the bus among server processes have in common."""

    def __init__(self, links: LinkedBus, packet_size: int, wake: Callable[[], None]) -> None:
        """`links`: the bus of this process's own workers. `wake` is called when there are packets to carry."""
        self.address = secrets.token_hex(8)
        self.links = links
        self.outbox = Outbox(self.address, packet_size, wake)
        self.own = OwnInterests()
        self.followers = Followers()
        self.askers = Askers()
        self.servers = OtherServers()
        self.runs: RunListener | None = None
        self.workers: WorkerListener | None = None

    def say(self, to: str | None, message: PeerMessage) -> None:
        """Tells one process or all, if there are any: what nobody hears is told when somebody comes, if it still
        matters."""
        if self.servers:
            self.outbox.put(to, message)

    def tell_alive(self, to: str | None, *, asks: bool) -> None:
        """That this process is there; `asks`: what do others follow?"""
        workers, room = (0, 0) if self.workers is None else self.workers.capacity()
        self.outbox.put(to, Alive(workers, room, asks))

    def tell_interests(self, to: str | None) -> None:
        """What is followed here."""
        followed = [] if self.runs is None else list(self.runs.interests())
        runs = [(each.run_id, each.interest) for each in followed if isinstance(each, Follow)]
        threads = [each.thread_id for each in followed if isinstance(each, FollowThread)]
        self.own.announced(run_id for run_id, _ in runs)
        most = max(len(runs), len(threads), 1)
        for start in range(0, most, TOGETHER):
            end = start + TOGETHER
            message = Interests(runs[start:end], threads[start:end], first=start == 0, last=end >= most)
            self.outbox.put(to, message)

    def unfollowed(self, run_ids: Iterable[str], thread_ids: Iterable[str]) -> None:
        """By one of those who followed them: the workers here are told where it was the last."""
        for run_id in run_ids:
            if not self.followers.of_run(run_id) and not self.own.follows_run(run_id):
                self.links.tell(Unfollow(run_id))
        for thread_id in thread_ids:
            if not self.followers.of_thread(thread_id) and not self.own.follows_thread(thread_id):
                self.links.tell(UnfollowThread(thread_id))

    def forget(self, server: OtherServer) -> None:
        """It has left, or is not heard any more."""
        self.servers.forget(server.address)
        self.outbox.forget(server.address)
        self.unfollowed(*self.followers.forget(server.address))
        if self.workers is not None:
            self.workers.lost(server.address)
