"""What server processes tell each other beside what runs say, and what they know of each other."""

from __future__ import annotations

import asyncio

import pytest

from runyard.runtime.bus.messages import (
    Cancel,
    Flush,
    Flushed,
    Follow,
    FollowThread,
    Hello,
    UnfollowThread,
)
from runyard.runtime.bus.peers import confirming, hearing
from runyard.runtime.bus.peers import servers as servers_module

from .peer_servers import Servers, ended, events, settled

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
    assert await asyncio.wait_for(one.hears.looked_at.get(), 60) == ["a"]
    other.bus.tell(Cancel("b", "lost"))
    assert await asyncio.wait_for(one.hears.looked_at.get(), 60) == ["b"]
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
    server, number = await asyncio.wait_for(other.hears.flushes.get(), 60)
    assert (server, number) == (one.bus.address, 7)
    other.links.receive(other.links._links["worker"], ended())
    other.bus.answer_flush(server, number)
    assert (await one.hears.until(Flushed(7)))[-1][0] == other.bus.address
    assert one.hears.runs == [ended()]


async def test_what_is_followed_is_confirmed_once_others_have_told_their_workers(servers: Servers) -> None:
    one, other, _ = [await servers() for _ in range(3)]
    held: list[tuple[bytes, bool]] = []
    other.transport.held = held
    one.bus.follow_thread("thread")
    confirmed = asyncio.create_task(one.bus.confirmed())
    await settled()
    assert not confirmed.done(), "one has not heard of it"
    other.transport.held = None
    for packet in held:
        other.transport._arrived(*packet)
    await asyncio.wait_for(confirmed, 10)
    assert FollowThread("thread") in await other.told()


async def test_a_server_that_confirms_nothing_is_not_waited_for_long(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "LONGEST_WAIT", 0.01)
    one, gone = await servers(), await servers()
    gone.transport.swallows = True
    await asyncio.wait_for(one.bus.confirmed(), 10)


@pytest.mark.parametrize("away", ["others", "workers", "connection"])
async def test_nothing_is_confirmed_where_nobody_can_say_something(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    monkeypatch.setattr(confirming, "LONGEST_WAIT", 3600.0)
    one = await servers()
    if away != "others":
        other = await servers()
        if away == "workers":
            other.hears.workers = 0
            other.bus._here.tell_alive(None, asks=False)
        else:
            one.transport.disconnect()
        await settled()
    await asyncio.wait_for(one.bus.confirmed(), 10)


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
    assert await asyncio.wait_for(one.hears.lost_workers.get(), 60) == other.bus.address


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
