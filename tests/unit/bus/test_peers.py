"""What server processes tell each other, and what they do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.local import LocalWorkerBus
from runyard.runtime.bus.messages import (
    Cancel,
    Ended,
    EventsStored,
    Flush,
    Flushed,
    Follow,
    Followed,
    FollowThread,
    FromWorker,
    Hello,
    RunEvents,
    ToWorker,
    Unfollow,
    UnfollowThread,
    Welcome,
)
from runyard.runtime.bus.peers import hearing
from runyard.runtime.bus.peers import outbox as outbox_module
from runyard.runtime.bus.peers import servers as servers_module
from runyard.runtime.bus.peers.bus import PeeredBus

from .backends import Backend, Told
from .memory_transport import Hub, MemoryTransport

EVENT = ("values", b"{}")


class Server:
    """A server process with one worker."""

    def __init__(self, hub: Hub, *, secret: bool = False) -> None:
        self.links = LinkedBus()
        self.transport = MemoryTransport(hub)
        self.bus = PeeredBus(self.links, self.transport, Loops(), secret=secret)
        self._backend = Backend(self.bus, self._join)
        self.hears = self._backend.hears
        self.worker: Told

    async def _join(self) -> LocalWorkerBus:
        return LocalWorkerBus(self.links)

    async def start(self) -> Server:
        await self.bus.start()
        self.worker = await self._backend.greeted("worker")
        return self

    def says(self, *messages: FromWorker) -> None:
        """What its worker says."""
        for message in messages:
            self.worker.bus.send(message)

    def relay(self, message: RunEvents) -> None:
        """Passes on what its worker says, at once."""
        assert self.links.relay is not None
        self.links.relay.relay(message)

    def followed(self) -> list[Followed]:
        """What is followed elsewhere."""
        assert self.links.relay is not None
        return list(self.links.relay.interests())

    async def told(self) -> list[ToWorker]:
        """What its worker was told since the last look."""
        await settled()
        self.links.tell(Welcome())
        return await self.worker.until(Welcome())

    async def heard(self) -> list[FromWorker]:
        """What was said here of runs since the last look."""
        await settled()
        said, self.hears.runs = self.hears.runs, []
        return said


async def settled() -> None:
    """All that is on its way within the process arrives."""
    for _ in range(30):
        await asyncio.sleep(0)


Servers = Callable[..., Awaitable[Server]]


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
async def servers(hub: Hub) -> AsyncIterator[Servers]:
    started: list[Server] = []

    async def start(**options: bool) -> Server:
        started.append(await Server(hub, **options).start())
        await settled()
        return started[-1]

    yield start
    for server in started:
        await server.bus.stop()


def events(run_id: str = "run", *, before: int = 0, asked: bool = False, first: int = 0) -> RunEvents:
    return RunEvents(run_id, "thread", [EVENT], first, before, asked)


def ended(run_id: str = "run", *, asked: bool = False, answer: bytes | None = b"1") -> Ended:
    return Ended(run_id, "thread", "success", answer, 0, 0.0, 0.0, asked)


# Who is told of runs


async def test_what_nobody_follows_elsewhere_is_not_carried(servers: Servers, hub: Hub) -> None:
    one, _ = await servers(), await servers()
    carried = hub.carried
    one.says(*[ended(f"run {number}", answer=None) for number in range(100)])
    await settled()
    assert hub.carried == carried


async def test_a_run_that_is_followed_where_its_worker_is_costs_nothing(servers: Servers, hub: Hub) -> None:
    one, _ = await servers(), await servers()
    carried = hub.carried
    one.bus.follow_run("run", 2, announce=False, new=True)
    one.says(events(asked=True), ended(asked=True))
    assert await one.heard() == [events(), ended()]
    one.bus.unfollow_run("run", announce=False)
    await settled()
    assert hub.carried == carried


async def test_an_announced_follower_gets_what_is_said_and_others_do_not(servers: Servers) -> None:
    one, other, third = await servers(), await servers(), await servers()
    other.bus.follow_run("run", 2, announce=True)
    assert await one.told() == [Follow("run", 2)]
    one.says(events(), ended())
    assert await other.heard() == [events(), ended()]
    assert other.hears.elsewhere == [True]
    assert await third.heard() == []


async def test_who_waits_for_an_answer_alone_gets_no_events(servers: Servers) -> None:
    one, other = await servers(), await servers()
    other.bus.follow_run("run", 1, announce=True)
    await settled()
    one.says(events(), ended())
    assert await other.heard() == [ended()]


async def test_all_runs_of_a_followed_thread_are_told(servers: Servers) -> None:
    one, other = await servers(), await servers()
    other.bus.follow_thread("thread")
    assert await one.told() == [FollowThread("thread")]
    one.says(events("a"), ended("a", answer=None))
    assert await other.heard() == [events("a"), ended("a", answer=None)]
    other.bus.unfollow_thread("thread")
    assert await one.told() == [UnfollowThread("thread")]
    one.says(ended("b", answer=None))
    assert await other.heard() == []


async def test_a_new_run_finds_who_was_to_follow_it_with_its_first_events(servers: Servers, hub: Hub) -> None:
    one, other, third = await servers(), await servers(), await servers()
    other.bus.follow_run("run", 2, announce=False, new=True)
    assert await one.told() == []
    one.says(events(asked=True))
    assert await other.heard() == [events()]
    third.hears.runs.clear()
    one.says(events(before=1, asked=True), ended(asked=True))
    assert await other.heard() == [events(before=1), ended()]
    assert await third.heard() == []


async def test_a_joiner_does_not_take_the_place_of_who_was_to_follow_a_new_run(servers: Servers) -> None:
    one, other, third = await servers(), await servers(), await servers()
    other.bus.follow_run("run", 2, announce=False, new=True)
    third.bus.follow_run("run", 2, announce=True)
    one.bus.follow_run("run", 2, announce=True)
    one.bus.follow_thread("thread")
    await settled()
    sent: list[FromWorker] = [events(asked=True), events(before=1, asked=True), ended(asked=True)]
    one.says(*sent)
    for server in (one, other, third):
        assert [type(message) for message in await server.heard()] == [RunEvents, RunEvents, Ended]


async def test_what_a_waiting_client_elsewhere_asked_for_is_one_message(servers: Servers, hub: Hub) -> None:
    one, other = await servers(), await servers()
    carried = hub.carried
    other.bus.follow_run("run", 1, announce=False, new=True)
    one.says(ended(asked=True))
    assert await other.heard() == [ended()]
    other.bus.unfollow_run("run", announce=False)
    await settled()
    assert hub.carried == carried + 1


async def test_events_for_which_nobody_answers_are_soon_told_to_nobody(
    servers: Servers, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.runtime.bus.peers.askers.ANSWER_TIME", 0.0)
    one, other = await servers(), await servers()
    one.says(events(asked=True), events(before=1, asked=True))
    await other.heard()
    carried = hub.carried
    one.says(events(before=2, asked=True))
    assert await other.heard() == []
    assert hub.carried == carried


async def test_workers_are_told_that_a_run_is_followed_until_nobody_does(servers: Servers) -> None:
    one, other, third = await servers(), await servers(), await servers()
    for server in (one, other, third):
        server.bus.follow_run("run", 2, announce=True)
    assert await one.told() == [Follow("run", 2)] * 3
    other.bus.unfollow_run("run", announce=True)
    one.bus.unfollow_run("run", announce=True)
    assert await one.told() == []
    third.bus.unfollow_run("run", announce=True)
    assert await one.told() == [Unfollow("run")]


# What is told beside


async def test_a_cancelled_run_is_stopped_wherever_it_is_and_its_end_is_told(servers: Servers) -> None:
    one, other = await servers(), await servers()
    other.bus.tell(Cancel("run", "interrupt"))
    other.bus.follow_run("run", 1, announce=False)
    assert await one.told() == [Cancel("run", "interrupt")]
    one.says(ended(answer=None))
    assert await other.heard() == [ended(answer=None)]


async def test_runs_that_were_ended_or_removed_elsewhere_are_looked_at(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "GATHERING", 0.0)
    one, other = await servers(), await servers()
    other.bus.runs_changed(["a"])
    assert await asyncio.wait_for(one.hears.looked_at.get(), 10) == ["a"]
    other.bus.tell(Cancel("b", "lost"))
    assert await asyncio.wait_for(one.hears.looked_at.get(), 10) == ["b"]
    one.bus.follow_thread("thread")
    await settled()
    other.bus.thread_changed("thread", deleted=False)
    await settled()
    assert one.hears.edited == ["thread"]
    looks = one.hears.looks
    other.bus.thread_changed("thread", deleted=True)
    await settled()
    assert one.hears.looks == looks + 1


async def test_runs_wake_as_many_other_servers_as_there_are_runs_those_with_room_first(servers: Servers) -> None:
    one, *others = [await servers() for _ in range(4)]
    for room, server in enumerate(others):
        server.hears.room = room
        server.bus._here.tell_alive(None, asks=False)
    await settled()
    one.bus.wake_elsewhere(2)
    await settled()
    assert [server.hears.ready.qsize() for server in others] == [0, 1, 1]
    one.bus.wake_elsewhere(100)
    await settled()
    assert [server.hears.ready.qsize() for server in others] == [1, 2, 2]
    assert others[0].hears.ready.get_nowait() == 100
    assert one.hears.ready.empty()


async def test_a_server_without_workers_is_not_woken(servers: Servers) -> None:
    one, other = await servers(), await servers()
    other.hears.workers = 0
    other.bus._here.tell_alive(None, asks=False)
    await settled()
    one.bus.wake_elsewhere(1)
    one.bus.wake_elsewhere(2)
    await settled()
    assert other.hears.ready.empty()
    assert list(one.bus.elsewhere()) == []


async def test_a_flush_is_answered_behind_all_that_was_said_before(servers: Servers) -> None:
    one, other = await servers(), await servers()
    one.bus.follow_run("run", 1, announce=True)
    await settled()
    assert list(one.bus.elsewhere()) == [other.bus.address]
    one.bus.tell(Flush(7))
    server, number = await asyncio.wait_for(other.hears.flushes.get(), 10)
    assert (server, number) == (one.bus.address, 7)
    other.links.receive(other.links._links["worker"], ended())
    other.bus.answer_flush(server, number)
    assert (await one.hears.until(Flushed(7)))[-1][0] == other.bus.address
    assert one.hears.runs == [ended()]


# Long messages, slow connections


async def test_long_events_arrive_whole_stored_ones_and_answers_are_read_from_storage(servers: Servers) -> None:
    one, other = await servers(), await servers()
    other.bus.follow_run("run", 2, announce=True)
    await settled()
    long = bytes(range(256)) * 2**12
    unstored = RunEvents("run", "thread", [("custom", long), ("custom", long), ("custom", b"1")], 0, 5)
    one.says(unstored, RunEvents("run", "thread", [("custom", long), EVENT], 8, 7), ended(answer=long))
    heard = await other.heard()
    pieces = [message for message in heard if isinstance(message, RunEvents)]
    assert [event for piece in pieces for event in piece.events] == unstored.events
    assert [piece.before for piece in pieces] == [5, 6, 7]
    assert heard[len(pieces) :] == [EventsStored("run", "thread", 9), ended(answer=None)]


async def test_what_is_not_carried_fast_enough_is_dropped_and_noticed(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "MOST_EVENTS", 0)
    one, other = await servers(), await servers()
    other.bus.follow_run("run", 2, announce=True)
    await settled()
    one.bus._here.outbox.put(None, Flushed(1))  # the queue is not empty
    one.relay(events(before=0))
    one.relay(events(first=9, before=8))
    assert one.bus.dropped == 2
    looks = other.hears.looks
    assert await other.heard() == [EventsStored("run", "thread", 9)]
    one.says(ended())
    await settled()
    assert other.hears.looks == looks + 1, "a gap in the numbers"


async def test_what_is_secret_is_read_from_storage_or_missed(servers: Servers, hub: Hub) -> None:
    one, other = await servers(secret=True), await servers(secret=True)
    other.bus.follow_run("run", 2, announce=True)
    await settled()
    hub.seen.clear()
    event = ("values", b"in confidence")
    answer = ended(answer=b"in confidence")
    one.says(RunEvents("run", "thread", [event] * 2, 5, 4), RunEvents("run", "thread", [event], 0, 0), answer)
    assert await other.heard() == [EventsStored("run", "thread", 6), ended(answer=None)]
    assert other.hears.withheld == ["run"]
    assert hub.seen
    assert b"confidence" not in b"".join(hub.seen)
    one.says(RunEvents("new", "thread", [event], 0, 0, True), RunEvents("new", "thread", [event], 0, 1, True))
    await settled()
    assert other.hears.withheld == ["run", "new"]


# Coming, staying and going


async def test_a_server_that_comes_knows_before_all_else_what_others_follow(servers: Servers) -> None:
    one = await servers()
    one.hears.followed = [Follow("run", 2), FollowThread("thread")]
    other = await servers()
    assert set(other.followed()) == {Follow("run", 2), FollowThread("thread")}
    other.says(events(), ended())
    assert await one.heard() == [events(), ended()]


async def test_many_follows_are_told_in_pieces(servers: Servers) -> None:
    one = await servers()
    one.hears.followed = [Follow(f"run {number}", 1) for number in range(1234)]
    other = await servers()
    assert other.followed() == one.hears.followed


async def test_a_server_that_leaves_is_forgotten_with_what_it_follows(servers: Servers) -> None:
    one, other = await servers(), await servers()
    other.bus.follow_thread("thread")
    assert await one.told() == [FollowThread("thread")]
    await other.bus.stop()
    assert await one.told() == [UnfollowThread("thread")]
    assert one.bus.servers == 0
    assert await asyncio.wait_for(one.hears.lost_workers.get(), 10) == other.bus.address


async def test_a_server_that_is_silent_is_forgotten_and_found_again(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await servers(), await servers()
    other.bus.follow_thread("thread")
    other.hears.followed = [FollowThread("thread")]
    await one.told()
    monkeypatch.setattr(servers_module, "SILENCE", -1.0)
    await one.bus._renew()
    monkeypatch.undo()
    assert await one.told() == [UnfollowThread("thread")]
    other.bus._here.tell_alive(None, asks=False)
    assert {*await one.told()} == {FollowThread("thread")}
    one.says(ended(answer=None))
    assert await other.heard() == [ended(answer=None)]


async def test_a_gap_makes_both_sides_say_anew_what_they_follow(servers: Servers) -> None:
    one, other = await servers(), await servers()
    one.transport.swallows = True
    other.bus.follow_thread("thread")
    await settled()
    one.transport.swallows = False
    other.hears.followed = [FollowThread("thread")]
    one.hears.followed = [Follow("run", 2)]
    await other.told()
    looks = one.hears.looks
    other.bus.tell(Cancel("run", "interrupt"))
    assert await one.told() == [Cancel("run", "interrupt"), FollowThread("thread")]
    assert await other.told() == [Cancel("run", "interrupt"), Follow("run", 2)], "its worker says how far it is"
    assert one.hears.looks == looks + 1


async def test_after_a_cut_connection_everything_is_known_again(servers: Servers) -> None:
    one, other = await servers(), await servers()
    other.transport.disconnect()
    other.bus.follow_run("run", 2, announce=True)
    one.hears.followed = [FollowThread("thread")]
    one.bus.follow_thread("thread")
    await settled()
    assert await one.told() == [FollowThread("thread")]
    assert other.bus.polls
    other.hears.followed = [Follow("run", 2)]
    other.transport.connect()
    assert not other.bus.polls
    assert await one.told() == [Follow("run", 2)]
    assert other.hears.looks == 1
    other.says(events("of the thread"))
    await settled()
    one.says(events())
    assert await one.heard() == [events("of the thread"), events()]
    assert await other.heard() == [events("of the thread"), events()]


async def test_a_process_that_stood_still_itself_forgets_nobody(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = await servers(), await servers()
    monkeypatch.setattr(servers_module, "SILENCE", -1.0)
    monkeypatch.setattr(servers_module, "RENEWAL", -1.0)
    await one.bus._renew()
    assert one.bus.servers == 1


async def test_what_cannot_be_read_holds_up_nothing(servers: Servers) -> None:
    one, other = await servers(), await servers()
    one.bus.arrived(b"\xc1", to_all=True)
    one.bus.arrived(b"\x93\xa3new\x01\x91\x91\xa4Wink", to_all=True)
    other.bus.tell(Cancel("run", "interrupt"))
    assert Cancel("run", "interrupt") in await one.told()


async def test_workers_say_hello_to_their_own_server_alone(servers: Servers) -> None:
    one, other = await servers(), await servers()
    one.says(Hello("worker", 1))
    await settled()
    assert other.hears.said.empty()
