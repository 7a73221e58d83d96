"""Figures of what servers share, and what is told while the database is away."""

from __future__ import annotations

import pytest

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.queue import QueueDepth, QueueWaits
from runyard.runtime.storage.port.workers import Machine
from runyard.runtime.telemetry.metrics import Metrics


class Database:
    """Answers, or does not."""

    away = False

    async def depth(self) -> QueueDepth:
        self._ask()
        return QueueDepth(ready=1, waiting=0, delayed=0, running=2, oldest=3.0)

    async def waits(self) -> QueueWaits:
        self._ask()
        return QueueWaits(0.0, 0.0)

    async def machines(self) -> list[Machine]:
        self._ask()
        return [Machine("one", 2, 4), Machine("other", 1, 0)]

    def _ask(self) -> None:
        if self.away:
            raise Unavailable("away")


class Bus:
    state = "connected"
    servers = 2
    dropped = 3


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def metrics(database: Database) -> Metrics:
    metrics = Metrics()
    metrics.connect(database.depth, database.waits, list, 0, Loops())
    metrics.shared.connect(database.machines, Bus())
    return metrics


async def test_workers_are_told_by_machine_and_the_bus_by_its_state(metrics: Metrics) -> None:
    for _ in range(2):  # counters are not counted twice
        text = (await metrics.exposition()).decode()
    for line in (
        "runyard_database_up 1.0",
        'runyard_machine_workers{host="one"} 4.0',
        'runyard_machine_servers{host="other"} 1.0',
        'runyard_bus_state{state="connected"} 1.0',
        'runyard_bus_state{state="polling"} 0.0',
        "runyard_bus_servers 2.0",
        "runyard_bus_dropped_messages_total 3.0",
    ):
        assert f"{line}\n" in text
    figures = await metrics.snapshot()
    assert figures["bus"] == {"state": "connected", "servers": 2}
    assert figures["machines"][0] == {"host": "one", "servers": 2, "workers": 4}


async def test_a_database_that_is_away_is_told_and_hides_no_other_figure(metrics: Metrics, database: Database) -> None:
    await metrics.exposition()
    database.away = True
    text = (await metrics.exposition()).decode()
    assert "runyard_database_up 0.0\n" in text
    assert "runyard_bus_servers 2.0\n" in text
    assert "runyard_queue_runs{" not in text
    assert "runyard_machine_workers{" not in text
    with pytest.raises(Unavailable):
        await metrics.snapshot()


async def test_without_a_shared_database_there_are_no_machines() -> None:
    figures = await Metrics().snapshot()
    assert "machines" not in figures
    assert "bus" not in figures
