"""Which server processes are told what workers elsewhere say of runs."""

from __future__ import annotations

import pytest

from runyard.runtime.bus.messages import (
    Ended,
    EventsStored,
    Flushed,
    Follow,
    FollowThread,
    FromWorker,
    RunEvents,
    Unfollow,
    UnfollowThread,
)
from runyard.runtime.bus.peers import outbox as outbox_module

from .memory_transport import Hub
from .peer_servers import EVENT, Servers, ended, events, settled


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
