"""What workers are told, and when: nothing before they can listen, and then all that they have to know."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from runyard.runtime.bus import workers as workers_module
from runyard.runtime.bus.messages import Message
from runyard.runtime.bus.workers import Workers
from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams.broker import Broker
from runyard.runtime.telemetry.metrics import Metrics


class Told:
    """A worker's end of the link."""

    def __init__(self, workers: Workers, name: str) -> None:
        self.workers = workers
        self.name = name
        self.messages: list[Message] = []
        workers.attach(self)

    def send(self, *message: Any) -> None:
        self.messages.append(message)

    def close(self) -> None:
        pass

    def says(self, *message: Any) -> None:
        self.workers.receive(self, message)

    def says_hello(self) -> None:
        self.says("hello", self.name, 1)

    def kinds(self) -> list[str]:
        return [message[0] for message in self.messages]

    def answers_flushes(self) -> None:
        for message in self.messages:
            if message[0] == "flush":
                self.says("flushed", message[1])


class NothingEnded:
    async def ended(self, run_ids: Sequence[str]) -> list[RunResult]:
        return []


@pytest.fixture
def workers() -> Workers:
    return Workers(lambda: None)


@pytest.fixture
def broker(workers: Workers) -> Broker:
    storage: Any = SimpleNamespace(runs=NothingEnded(), events=None, threads=None)
    broker = Broker(storage, workers, Metrics())
    workers.listen(broker)
    return broker


async def test_a_worker_that_says_hello_is_told_what_others_were_told_before(workers: Workers, broker: Broker) -> None:
    early, late = Told(workers, "early"), Told(workers, "late")
    early.says_hello()
    waiter = broker.wait_for_result("run", announce=True)
    workers.drain()
    assert late.messages == []
    late.says_hello()
    assert late.kinds() == ["follow", "drain", "welcome", "wake"]
    assert early.kinds() == ["welcome", "wake", "follow", "drain"]
    await waiter.close()
    assert late.kinds()[-1] == early.kinds()[-1] == "unfollow"


async def test_a_second_hello_is_answered_like_the_first(workers: Workers, broker: Broker) -> None:
    worker = Told(workers, "worker")
    worker.says_hello()
    broker.wait_for_result("run", announce=True)
    worker.says_hello()
    assert worker.kinds() == ["welcome", "wake", "follow", "follow", "welcome", "wake"]


async def test_a_worker_that_connects_again_is_told_by_its_new_connection_alone(
    workers: Workers, broker: Broker
) -> None:
    before, after = Told(workers, "worker"), Told(workers, "worker")
    before.says_hello()
    after.says_hello()
    broker.wait_for_result("run", announce=True)
    assert "follow" not in before.kinds()
    assert "follow" in after.kinds()


async def test_a_run_that_has_ended_is_followed_by_no_worker_any_more(workers: Workers, broker: Broker) -> None:
    worker = Told(workers, "worker")
    worker.says_hello()
    for number in range(10):
        waiter = broker.wait_for_result(f"run {number}", announce=True)
        broker.run_ended(f"run {number}", "thread", "success", b"1", 0, 0.0, 0.0)
        assert await waiter.result(5) == b"1"
        await waiter.close()
    assert worker.kinds().count("follow") == worker.kinds().count("unfollow") == 10
    assert list(broker.interests()) == []


async def test_a_flush_waits_for_all_workers_that_are_ready_and_connected(workers: Workers, broker: Broker) -> None:
    quick, slow, importing = Told(workers, "quick"), Told(workers, "slow"), Told(workers, "importing")
    quick.says_hello()
    slow.says_hello()
    flush = asyncio.create_task(workers.flushed())
    await asyncio.sleep(0)
    assert "flush" not in importing.kinds()
    quick.answers_flushes()
    await asyncio.sleep(0)
    assert not flush.done()
    slow.answers_flushes()
    assert await flush

    flush = asyncio.create_task(workers.flushed())
    await asyncio.sleep(0)
    quick.answers_flushes()
    workers.detach(slow)
    assert await flush


async def test_a_worker_that_does_not_answer_a_flush_is_not_waited_for_without_end(
    workers: Workers, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "FLUSH_STEP", 0.001)
    Told(workers, "stuck").says_hello()
    assert not await workers.flushed()
