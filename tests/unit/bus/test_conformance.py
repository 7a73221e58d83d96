"""What every bus promises, by capability."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import pytest

from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.local import LocalWorkerBus
from runyard.runtime.bus.messages import (
    Broken,
    Cancel,
    Drain,
    Ended,
    EventsStored,
    Flush,
    Flushed,
    Follow,
    Followed,
    FollowThread,
    FromWorker,
    GiveBack,
    GraphsLoaded,
    Hello,
    Load,
    PackedEvent,
    RunEvents,
    RunsReady,
    ToWorker,
    Unfollow,
    UnfollowThread,
    Wake,
    WebhookDue,
    Welcome,
)
from runyard.runtime.bus.port import ServerBus, WorkerBus
from runyard.runtime.bus.unix_socket import SocketWorkerBus, accept_worker

Said = tuple[str | None, FromWorker]
TIMEOUT = 10.0


class Heard:
    """Everything that an API process hears, in order."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Said] = asyncio.Queue()
        self.runs: list[FromWorker] = []
        self.lost_workers: asyncio.Queue[str] = asyncio.Queue()
        self.followed: list[Followed] = []

    def publish(self, run_id: str, thread_id: str, events: Sequence[PackedEvent], first: int, before: int) -> None:
        self.runs.append(RunEvents(run_id, thread_id, list(events), first, before))

    def events_stored(self, run_id: str, thread_id: str, number: int) -> None:
        self.runs.append(EventsStored(run_id, thread_id, number))

    def run_ended(
        self, run_id: str, thread_id: str, status: str, answer: bytes | None, last: int, waited: float, ran: float
    ) -> None:
        self.runs.append(Ended(run_id, thread_id, status, answer, last, waited, ran))

    def interests(self) -> Iterable[Followed]:
        return self.followed

    def heard(self, worker: str | None, message: FromWorker) -> None:
        self.said.put_nowait((worker, message))

    def lost(self, worker: str) -> None:
        self.lost_workers.put_nowait(worker)

    async def until(self, message: FromWorker) -> list[Said]:
        """What is said up to that message, with it."""
        said = [await asyncio.wait_for(self.said.get(), TIMEOUT)]
        while said[-1][1] != message:
            said.append(await asyncio.wait_for(self.said.get(), TIMEOUT))
        return said


class Told:
    """A worker that keeps what it is told."""

    def __init__(self, name: str, bus: WorkerBus) -> None:
        self.name = name
        self.bus = bus
        self.messages: asyncio.Queue[ToWorker] = asyncio.Queue()

    def says_hello(self) -> None:
        """Listens."""
        self.bus.listen(self.messages.put_nowait)
        self.bus.send(Hello(self.name, 1))

    async def next(self) -> ToWorker:
        return await asyncio.wait_for(self.messages.get(), TIMEOUT)

    async def until(self, last: ToWorker) -> list[ToWorker]:
        """What it is told before that message."""
        told: list[ToWorker] = []
        while (message := await self.next()) != last:
            told.append(message)
        return told


class Backend:
    """An API process's end of a bus, and workers that join it."""

    def __init__(self, server: ServerBus, join: Callable[[], Awaitable[WorkerBus]]) -> None:
        self.server = server
        self.hears = Heard()
        server.hear_runs(self.hears)
        server.hear_workers(self.hears)
        self._join = join

    async def join(self, name: str) -> Told:
        """A worker that has yet to say hello."""
        return Told(name, await self._join())

    async def greeted(self, name: str) -> Told:
        """A worker that has said hello."""
        worker = await self.join(name)
        worker.says_hello()
        await self.hears.until(Hello(name, 1))
        return worker


@pytest.fixture(params=["unix socket", "in process"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    server = LinkedBus()
    joined: list[WorkerBus] = []
    if request.param == "in process":

        async def join() -> WorkerBus:
            joined.append(LocalWorkerBus(server))
            return joined[-1]

        yield Backend(server, join)
    else:
        path = str(tmp_path / "bus")
        listening = await asyncio.get_running_loop().create_unix_server(lambda: accept_worker(server), path)

        async def connect() -> WorkerBus:
            bus = SocketWorkerBus(lambda: None)
            await bus.connect(path)
            joined.append(bus)
            return bus

        yield Backend(server, connect)
        listening.close()
    for bus in joined:
        bus.close()


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
