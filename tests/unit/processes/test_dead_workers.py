"""What follows when a worker has ended, beyond its own runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.dead_workers import DeadWorkers
from runyard.runtime.storage.port.workers import ReapResult


class Told:
    """The rest of the server, and what it was told."""

    def __init__(self, reaped: ReapResult) -> None:
        self._reaped = reaped
        self.workers = self
        self.ready = 0
        self.ended: list[str] = []
        self.evicted: list[str] = []
        self.calls = asyncio.Event()

    async def reap(self, worker: str, **how: object) -> ReapResult:
        return self._reaped

    async def evict(self, worker: str) -> bool:
        self.evicted.append(worker)
        return True

    def dropped(self, worker: str) -> None:
        pass

    def wake(self, ready: int) -> None:
        self.ready += ready

    def runs_ended(self, run_ids: Sequence[str]) -> None:
        self.ended += run_ids

    def webhook_due(self) -> None:
        self.calls.set()


async def take_back(reaped: ReapResult, **how: bool) -> Told:
    told = Told(reaped)
    every = cast(Any, told)
    settings = cast(Settings, SimpleNamespace(max_attempts=3))
    dead = DeadWorkers(settings, every, every, every, Loops())
    dead.add("worker", **how)
    await dead.take_back_all()
    return told


async def test_webhook_calls_that_follow_a_death_are_made_at_once() -> None:
    told = await take_back(ReapResult(1, ["ended"], 0, 2, webhook=True))
    assert told.calls.is_set()
    assert (told.ready, told.ended) == (3, ["ended"])


async def test_a_death_that_no_webhook_follows_wakes_no_sender() -> None:
    assert not (await take_back(ReapResult(1, [], 0, 0, webhook=False))).calls.is_set()


async def test_the_lease_of_a_worker_that_has_surely_ended_is_over() -> None:
    reaped = ReapResult(1, [], 0, 0, webhook=False)
    assert (await take_back(reaped, surely=True)).evicted == ["worker"]
    assert (await take_back(reaped)).evicted == []
