"""The broker finds ends of which no worker told, whatever storage says in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams import broker
from runyard.runtime.streams.broker import Broker
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
    monkeypatch.setattr(broker, "RECHECK_INTERVAL", 0.001)
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
