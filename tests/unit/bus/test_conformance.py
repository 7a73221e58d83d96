"""What every bus promises, by capability."""

from __future__ import annotations

import asyncio

from runyard.runtime.bus.messages import (
    Broken,
    Cancel,
    Drain,
    Ended,
    EventsStored,
    Flush,
    Flushed,
    Follow,
    FollowThread,
    FromWorker,
    GiveBack,
    GraphsLoaded,
    Hello,
    Load,
    RunEvents,
    RunsReady,
    ToWorker,
    Unfollow,
    UnfollowThread,
    Wake,
    WebhookDue,
    Welcome,
)

from .backends import TIMEOUT, Backend

FROM_WORKERS: list[FromWorker] = [
    GraphsLoaded({"graph": "name"}, {"other": "why"}),
    Broken("why"),
    Load(3),
    RunEvents("run", "thread", [("values", b"{}"), ("updates|ns:1", b"null")], 7, 4),
    EventsStored("run", "thread", 2**40),
    Ended("run", "thread", "success", b"\xff", 7, 0.5, 1.5),
    Ended("run", "thread", "error", None, 0, 0.0, 0.0),
    RunsReady(2),
    WebhookDue(),
    Flushed(1),
]
TO_WORKERS: list[ToWorker] = [
    Wake(),
    Flush(1),
    Cancel("run", "rollback"),
    Follow("run", 2),
    Unfollow("run"),
    FollowThread("thread"),
    UnfollowThread("thread"),
    Drain(),
    GiveBack(),
    Welcome(),
]


# Messages


async def test_what_a_worker_says_arrives_as_it_was_said_and_in_order(backend: Backend) -> None:
    worker = await backend.greeted("worker")
    for message in FROM_WORKERS:
        worker.bus.send(message)
    said = await backend.hears.until(FROM_WORKERS[-1])
    assert said == [("worker", message) for message in FROM_WORKERS]


async def test_what_a_worker_says_of_its_runs_reaches_those_who_hear_of_runs(backend: Backend) -> None:
    worker = await backend.greeted("worker")
    about_runs = [message for message in FROM_WORKERS if isinstance(message, RunEvents | EventsStored | Ended)]
    for message in FROM_WORKERS:
        worker.bus.send(message)
    await backend.hears.until(FROM_WORKERS[-1])
    assert backend.hears.runs == about_runs


async def test_what_workers_are_told_arrives_as_it_was_said_and_in_order(backend: Backend) -> None:
    worker = await backend.greeted("worker")
    for message in TO_WORKERS:
        backend.server.tell(message, "worker")
    assert [await worker.next() for _ in TO_WORKERS] == TO_WORKERS


async def test_nothing_arrives_within_the_call_that_sends_it(backend: Backend) -> None:
    worker = await backend.greeted("worker")
    worker.bus.send(Load(1))
    backend.server.tell(Wake())
    assert backend.hears.said.empty()
    assert worker.messages.empty()
    await backend.hears.until(Load(1))
    assert await worker.next() == Wake()


async def test_a_message_of_any_size_arrives_whole(backend: Backend) -> None:
    worker = await backend.greeted("worker")
    large = RunEvents("run", "thread", [("values", bytes(5 * 2**20)), ("values", b"1")], 0, 0)
    worker.bus.send(large)
    worker.bus.send(Load(1))
    assert await backend.hears.until(Load(1)) == [("worker", large), ("worker", Load(1))]


async def test_texts_of_other_classes_arrive_as_texts(backend: Backend) -> None:
    class Text(str):
        pass

    worker = await backend.greeted("worker")
    worker.bus.send(GraphsLoaded({Text("graph"): Text("name")}, {}))
    await backend.hears.until(GraphsLoaded({"graph": "name"}, {}))


async def test_a_text_that_cannot_be_written_holds_up_nothing(backend: Backend) -> None:
    worker = await backend.greeted("worker")
    worker.bus.send(GraphsLoaded({}, {"graph": "no file \udcff.py"}))
    worker.bus.send(RunEvents("run", "thread", [("values", b"\xff")], 0, 0))
    said = [
        message for _, message in await backend.hears.until(RunEvents("run", "thread", [("values", b"\xff")], 0, 0))
    ]
    assert isinstance(said[0], GraphsLoaded)
    assert said[0].not_loaded["graph"].startswith("no file ")


# Hello


async def test_a_worker_is_heard_before_it_says_hello_but_not_known(backend: Backend) -> None:
    worker = await backend.join("worker")
    worker.bus.send(Broken("why"))
    assert await backend.hears.until(Broken("why")) == [(None, Broken("why"))]
    worker.says_hello()
    assert await backend.hears.until(Hello("worker", 1)) == [("worker", Hello("worker", 1))]


async def test_nothing_is_told_to_a_worker_before_it_says_hello(backend: Backend) -> None:
    early, late = await backend.greeted("early"), await backend.join("late")
    backend.server.tell(Drain())
    backend.server.tell(Drain(), "late")
    late.says_hello()
    await backend.hears.until(Hello("late", 1))
    backend.server.tell(Welcome())
    assert await early.until(Welcome()) == [Drain()]
    assert await late.until(Welcome()) == []


async def test_a_worker_that_says_hello_is_told_what_is_followed_before_all_else(backend: Backend) -> None:
    backend.hears.followed = [Follow("run", 1), FollowThread("thread")]
    worker = await backend.greeted("worker")
    backend.server.tell(Welcome(), "worker")
    assert await worker.until(Welcome()) == backend.hears.followed
    worker.bus.send(Hello("worker", 1))
    await backend.hears.until(Hello("worker", 1))
    backend.server.tell(Welcome(), "worker")
    assert await worker.until(Welcome()) == backend.hears.followed, "it may say hello more than once"


async def test_what_arrives_before_a_worker_listens_is_kept(backend: Backend) -> None:
    worker = await backend.join("worker")
    worker.bus.send(Hello("worker", 1))
    await backend.hears.until(Hello("worker", 1))
    backend.server.tell(Cancel("run", "lost"))
    backend.server.tell(Welcome())
    other = await backend.greeted("other")  # takes turns of the event loop in which the messages arrive
    backend.server.tell(Wake())
    await other.next()
    worker.bus.listen(worker.messages.put_nowait)
    backend.server.tell(Drain(), "worker")
    assert await worker.until(Drain()) == [Cancel("run", "lost"), Welcome(), Wake()]


async def test_a_worker_that_joins_again_is_told_by_its_new_connection_alone(backend: Backend) -> None:
    before = await backend.greeted("worker")
    after = await backend.greeted("worker")
    assert await asyncio.wait_for(backend.hears.lost_workers.get(), TIMEOUT) == "worker"
    backend.server.tell(Wake())
    assert await after.next() == Wake()
    before.bus.send(Load(1))
    before.bus.close()
    after.bus.send(Load(2))
    assert await backend.hears.until(Load(2)) == [("worker", Load(2))]
    assert before.messages.empty()
    assert backend.hears.lost_workers.empty()


# Run events and thread events


async def test_workers_are_told_who_follows_a_run_that_is_there(backend: Backend) -> None:
    workers = [await backend.greeted(name) for name in ("one", "other")]
    backend.server.follow_run("there", 2, announce=True)
    backend.server.follow_run("to come", 2, announce=False)
    backend.server.unfollow_run("there", announce=True)
    backend.server.unfollow_run("to come", announce=False)
    backend.server.tell(Welcome())
    for worker in workers:
        assert await worker.until(Welcome()) == [Follow("there", 2), Unfollow("there")]


async def test_workers_are_told_who_follows_a_thread(backend: Backend) -> None:
    worker = await backend.greeted("worker")
    backend.server.follow_thread("thread")
    backend.server.unfollow_thread("thread")
    backend.server.tell(Welcome())
    assert await worker.until(Welcome()) == [FollowThread("thread"), UnfollowThread("thread")]


# Wake and control


async def test_workers_are_woken_and_told_by_name(backend: Backend) -> None:
    workers = [await backend.greeted(name) for name in ("one", "two", "three")]
    backend.server.wake(["one", "two", "nobody"])
    backend.server.tell(GiveBack(), "two")
    backend.server.tell(GiveBack(), "nobody")
    backend.server.tell(Welcome())
    told = [await worker.until(Welcome()) for worker in workers]
    assert told == [[Wake()], [Wake(), GiveBack()], []]


# Leaving


async def test_what_a_worker_says_before_it_leaves_arrives_and_then_it_is_lost(backend: Backend) -> None:
    worker = await backend.greeted("worker")
    worker.bus.send(Load(1))
    worker.bus.close()
    worker.bus.send(Load(2))
    assert await asyncio.wait_for(backend.hears.lost_workers.get(), TIMEOUT) == "worker"
    assert await backend.hears.until(Load(1)) == [("worker", Load(1))]
    assert backend.hears.said.empty()


async def test_a_worker_that_never_said_hello_is_not_lost(backend: Backend) -> None:
    stranger, worker = await backend.join("stranger"), await backend.greeted("worker")
    stranger.bus.close()
    worker.bus.close()
    assert await asyncio.wait_for(backend.hears.lost_workers.get(), TIMEOUT) == "worker"
    assert backend.hears.lost_workers.empty()


async def test_a_dropped_worker_is_lost_once_and_neither_told_nor_heard(backend: Backend) -> None:
    worker, other = await backend.greeted("worker"), await backend.greeted("other")
    backend.server.drop("worker")
    backend.server.drop("worker")
    worker.bus.send(Load(1))
    backend.server.tell(Wake())
    assert await other.next() == Wake()
    other.bus.send(Load(2))
    assert await backend.hears.until(Load(2)) == [("other", Load(2))]
    assert worker.messages.empty()
    assert backend.hears.lost_workers.get_nowait() == "worker"
    assert backend.hears.lost_workers.empty()
