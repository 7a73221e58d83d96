"""What workers are told, and when: nothing before they can listen, and then all that they have to know."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from runyard.runtime.bus import workers as workers_module
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.messages import (
    Drain,
    Ended,
    Flush,
    Flushed,
    Follow,
    FromWorker,
    Hello,
    Load,
    ToWorker,
    Unfollow,
    Wake,
    Welcome,
)
from runyard.runtime.bus.workers import Workers
from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams.broker import Broker
from runyard.runtime.telemetry.metrics import Metrics

from .peer_servers import BusAmongOthers as Bus


class Told:
    """A link to a worker, which keeps what it is told."""

    def __init__(self, bus: LinkedBus, name: str) -> None:
        self.bus = bus
        self.name = name
        self.messages: list[ToWorker] = []
        self.told = asyncio.Event()
        bus.attach(self)

    def send(self, message: ToWorker) -> None:
        self.messages.append(message)
        self.told.set()

    def close(self) -> None:
        pass

    def says(self, message: FromWorker) -> None:
        self.bus.receive(self, message)

    def says_hello(self) -> None:
        self.says(Hello(self.name, 1))

    def kinds(self) -> list[type[ToWorker]]:
        return [type(message) for message in self.messages]

    def answers_flushes(self) -> None:
        for message in self.messages:
            if isinstance(message, Flush):
                self.says(Flushed(message.number))


class NothingEnded:
    async def ended(self, run_ids: Sequence[str]) -> list[RunResult]:
        return []


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def workers(bus: LinkedBus) -> Workers:
    return Workers(bus, lambda: None)


@pytest.fixture
def broker(bus: LinkedBus, workers: Workers) -> Broker:
    storage: Any = SimpleNamespace(runs=NothingEnded(), events=None, threads=None)
    broker = Broker(storage, bus, workers, Metrics())
    bus.hear_runs(broker)
    return broker


async def test_a_worker_that_says_hello_is_told_what_others_were_told_before(
    bus: LinkedBus, workers: Workers, broker: Broker
) -> None:
    early, late = Told(bus, "early"), Told(bus, "late")
    early.says_hello()
    waiter = broker.wait_for_result("run", announce=True)
    workers.drain()
    assert late.messages == []
    late.says_hello()
    assert late.kinds() == [Follow, Drain, Welcome, Wake]
    assert early.kinds() == [Welcome, Wake, Follow, Drain]
    await waiter.close()
    assert late.kinds()[-1] == early.kinds()[-1] == Unfollow


async def test_a_second_hello_is_answered_like_the_first(bus: LinkedBus, workers: Workers, broker: Broker) -> None:
    worker = Told(bus, "worker")
    worker.says_hello()
    broker.wait_for_result("run", announce=True)
    worker.says_hello()
    assert worker.kinds() == [Welcome, Wake, Follow, Follow, Welcome, Wake]


async def test_a_worker_that_connects_again_is_told_by_its_new_connection_alone(
    bus: LinkedBus, workers: Workers, broker: Broker
) -> None:
    before, after = Told(bus, "worker"), Told(bus, "worker")
    before.says_hello()
    after.says_hello()
    broker.wait_for_result("run", announce=True)
    assert Follow not in before.kinds()
    assert Follow in after.kinds()


async def test_a_run_that_has_ended_is_followed_by_no_worker_any_more(
    bus: LinkedBus, workers: Workers, broker: Broker
) -> None:
    worker = Told(bus, "worker")
    worker.says_hello()
    for number in range(10):
        waiter = broker.wait_for_result(f"run {number}", announce=True)
        broker.run_ended(f"run {number}", "thread", "success", b"1", 0, 0.0, 0.0)
        assert await waiter.result(60) == b"1"
        await waiter.close()
    assert worker.kinds().count(Follow) == worker.kinds().count(Unfollow) == 10
    assert list(broker.interests()) == []


async def test_a_flush_waits_for_all_workers_that_are_ready_and_connected(
    bus: LinkedBus, workers: Workers, broker: Broker
) -> None:
    quick, slow, importing = Told(bus, "quick"), Told(bus, "slow"), Told(bus, "importing")
    quick.says_hello()
    slow.says_hello()
    flush = asyncio.create_task(workers.flushed())
    await asyncio.sleep(0)
    assert Flush not in importing.kinds()
    quick.answers_flushes()
    await asyncio.sleep(0)
    assert not flush.done()
    slow.answers_flushes()
    assert await flush

    flush = asyncio.create_task(workers.flushed())
    await asyncio.sleep(0)
    quick.answers_flushes()
    bus.detach(slow)
    assert await flush


async def test_a_worker_that_does_not_answer_a_flush_is_not_waited_for_without_end(
    bus: LinkedBus, workers: Workers, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "FLUSH_STEP", 0.001)
    Told(bus, "stuck").says_hello()
    assert not await workers.flushed()


async def test_one_ready_run_wakes_the_worker_with_the_fewest_and_several_wake_all(
    bus: LinkedBus, workers: Workers, broker: Broker
) -> None:
    busy, idle = Told(bus, "busy"), Told(bus, "idle")
    for worker in (busy, idle):
        worker.says_hello()
        worker.messages.clear()
    busy.says(Load(3))
    workers.wake(1)
    assert (busy.kinds(), idle.kinds()) == ([], [Wake])
    workers.wake(2)
    assert (busy.kinds(), idle.kinds()) == ([Wake], [Wake, Wake])
    workers.stop()


async def test_a_worker_that_does_not_answer_its_wake_up_is_not_waited_for(
    bus: LinkedBus, workers: Workers, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "WAKE_TIMEOUT", 0.001)
    blocked, other = Told(bus, "blocked"), Told(bus, "other")
    for worker in (blocked, other):
        worker.says_hello()
        worker.messages.clear()
    other.says(Load(1))
    other.told.clear()
    workers.wake(1)
    await asyncio.wait_for(other.told.wait(), 60)
    assert other.kinds() == [Wake]
    assert blocked.kinds() == [Wake]
    assert workers.stuck(-1) is False
    workers.wake(2)
    assert workers.stuck(-1) is True
    other.says(Load(1))
    assert workers.stuck(-1) is False
    workers.stop()


async def test_a_worker_is_known_from_its_hello_until_it_has_left_the_bus(
    bus: LinkedBus, workers: Workers, broker: Broker
) -> None:
    worker = Told(bus, "worker")
    assert (workers.pids(), workers.none_since()) == ([], None)
    worker.says_hello()
    worker.says(Load(2))
    assert (workers.pids(), workers.busy()) == ([1], {"worker"})
    for _ in range(2):
        worker.says(Ended("run", "thread", "success", None, 0, 0.0, 0.0))
    assert workers.busy() == set()
    workers.dropped("worker")
    assert workers.pids() == []
    assert workers.none_since() is not None
    assert workers.give_back(["worker"]) == set()


async def test_runs_for_which_there_is_room_here_wake_nobody_elsewhere(
    bus: Bus, workers: Workers, broker: Broker
) -> None:
    workers.wake(1)
    assert bus.woken_elsewhere == [1], "there are no workers here"
    one, other = Told(bus, "one"), Told(bus, "other")
    for worker in (one, other):
        worker.says_hello()
        worker.says(Load(0, 2))
    bus.woken_elsewhere.clear()
    for _ in range(4):
        workers.wake(1)
    assert bus.woken_elsewhere == []
    workers.wake(1)
    assert bus.woken_elsewhere == [1]
    one.says(Ended("run", "thread", "success", None, 0, 0.0, 0.0))
    workers.wake(3)
    assert bus.woken_elsewhere == [1, 2]
    assert workers.capacity() == (2, 0)
    workers.stop()


async def test_what_another_server_wakes_for_is_not_passed_on(bus: Bus, workers: Workers, broker: Broker) -> None:
    worker = Told(bus, "worker")
    worker.says_hello()
    worker.messages.clear()
    workers.woken(5)
    assert (worker.kinds(), bus.woken_elsewhere) == ([Wake], [])
    workers.stop()


async def test_where_no_worker_answers_others_are_woken_too(
    bus: Bus, workers: Workers, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "WAKE_TIMEOUT", 0.001)
    worker = Told(bus, "blocked")
    worker.says_hello()
    worker.says(Load(0, 5))
    bus.woken_elsewhere.clear()
    workers.wake(1)
    assert bus.woken_elsewhere == []
    bus.wake_up.clear()
    await asyncio.wait_for(bus.wake_up.wait(), 60)
    assert bus.woken_elsewhere == [1]
    workers.stop()


async def test_a_flush_waits_for_other_servers_and_is_answered_for_them(
    bus: Bus, workers: Workers, broker: Broker
) -> None:
    worker = Told(bus, "worker")
    worker.says_hello()
    bus.others = ["elsewhere"]
    flush = asyncio.create_task(workers.flushed())
    await asyncio.sleep(0)
    worker.answers_flushes()
    await asyncio.sleep(0)
    assert not flush.done()
    (number,) = [message.number for message in worker.messages if isinstance(message, Flush)]
    workers.heard("elsewhere", Flushed(number))
    assert await flush

    worker.messages.clear()
    workers.flush_asked("elsewhere", 7)
    await asyncio.sleep(0)
    assert bus.answers.empty()
    worker.answers_flushes()
    assert await asyncio.wait_for(bus.answers.get(), 60) == ("elsewhere", 7)
