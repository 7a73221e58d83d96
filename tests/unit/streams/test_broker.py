"""The broker finds ends of which no worker told, whatever storage says in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams import recheck
from runyard.runtime.streams.broker import Broker
from runyard.runtime.streams.subscriptions import Subscription
from runyard.runtime.telemetry.metrics import Metrics


class Results:
    """Storage that fails at the first question."""

    def __init__(self) -> None:
        self.asked = 0

    async def ended(self, scope: Scope, run_ids: Sequence[str]) -> list[RunResult]:
        self.asked += 1
        if self.asked == 1:
            raise OSError("the disk is away")
        return [RunResult(run_id, "success", b"1") for run_id in run_ids]


async def test_a_recheck_that_failed_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recheck, "RECHECK_INTERVAL", 0.001)
    results = Results()
    storage: Any = SimpleNamespace(runs=results, events=None, threads=None)
    bus = LinkedBus()
    streams = Broker(storage, bus, Workers(bus, lambda: None), Metrics())
    streams.start()
    waiter = streams.wait_for_result("a run", announce=False)
    try:
        assert await asyncio.wait_for(waiter.result(60), 60) == b"1"
    finally:
        await waiter.close()
        await streams.stop()
    assert results.asked == 2


class DistantBus(LinkedBus):
    """Other servers hear of what is followed when `heard` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()
        self.asked = asyncio.Event()

    async def confirmed(self) -> None:
        self.asked.set()
        await self.heard.wait()


FOLLOWING: dict[str, Callable[[Broker], Awaitable[Subscription]]] = {
    "a run": lambda streams: streams.subscribe("run", resumable=False, after=None, view=None),
    "a thread": lambda streams: streams.subscribe_thread("thread", frozenset(["run_modes"]), None),
    "events of a thread": lambda streams: streams.subscribe_events("thread", []),
}


@pytest.mark.parametrize("follow", FOLLOWING.values(), ids=FOLLOWING)
async def test_who_follows_is_answered_once_all_servers_have_heard_of_it(
    follow: Callable[[Broker], Awaitable[Subscription]],
) -> None:
    async def nothing_yet(_: str) -> int:
        return 0

    asked = SimpleNamespace(last_of_thread=nothing_yet, values=nothing_yet)
    storage: Any = SimpleNamespace(events=asked, runs=None, threads=asked)
    bus = DistantBus()
    streams = Broker(storage, bus, Workers(bus, lambda: None), Metrics())
    leaving, following = (asyncio.ensure_future(follow(streams)) for _ in range(2))
    await asyncio.wait_for(bus.asked.wait(), 10)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert len([*streams.interests()]) == 1, "of the other one"
    assert not following.done()
    bus.heard.set()
    await (await asyncio.wait_for(following, 10)).close()
    assert [*streams.interests()] == []
