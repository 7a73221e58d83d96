"""A steady load of runs of one second and of reads, as many a second whatever becomes of those before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from scripts.bench_suite.client import Connection
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.load import Refused, checked, percentile
from scripts.bench_suite.rates import Figures
from scripts.bench_suite.servers import Server

PATIENCE = 15
"""Seconds after the last run was asked for in which all must have ended."""


async def capacity(server: Server, effort: Effort) -> Figures:
    """Runs of one second and reads of runs and states, evenly, for some minutes."""
    await _warm_up(server)
    notes = server.data.parent / "notes"
    notes.touch()
    load = _Load(server, notes)
    count = int(effort.capacity_rate * effort.capacity_seconds)
    await asyncio.gather(
        _evenly(load.run, count, effort.capacity_rate), _evenly(load.read, count, effort.capacity_rate)
    )
    lines: list[str] = []
    for _ in range(PATIENCE * 4):
        lines = notes.read_text().splitlines()
        if lines.count("done") >= count:
            break
        await asyncio.sleep(0.25)
    load.close()
    delays = [float(line) for line in lines if line != "done"]
    return {
        "capacity_done": lines.count("done") / count * 100,
        "capacity_start_p50": percentile(delays, 0.5) * 1e3,
        "capacity_start_p99": percentile(delays, 0.99) * 1e3,
        "capacity_read_p50": percentile(load.reads, 0.5) * 1e3,
        "capacity_read_p99": percentile(load.reads, 0.99) * 1e3,
    }


async def _warm_up(server: Server) -> None:
    """The first reads of states wait for the process that answers them, and the first of all for connections."""
    load = _Load(server, server.data.parent / "first notes")
    await asyncio.gather(*(load.run() for _ in range(10)))
    await asyncio.gather(*(load.read() for _ in range(20)))
    load.close()


async def _evenly(ask: Callable[[], Awaitable[None]], count: int, rate: float) -> None:
    """Asks at its moments, also while earlier requests have no answer yet."""
    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            group.create_task(_awaited(ask))


async def _awaited(ask: Callable[[], Awaitable[None]]) -> None:
    await ask()


class _Load:
    """Requests over as many connections as are needed. `reads`: seconds that reads took."""

    def __init__(self, server: Server, notes: Path) -> None:
        self._server = server
        self._notes = str(notes)
        self._free: list[Connection] = []
        self._runs: list[str] = []
        self._number = 0
        self.reads: list[float] = []

    async def run(self) -> None:
        connection = self._connection()
        task = {"sent": time.time(), "notes": self._notes}
        payload = {"assistant_id": "noted", "input": task, "on_completion": "keep"}
        answer = checked(await connection.post("/runs", payload), "a run").json()
        self._runs.append(f"/threads/{answer['thread_id']}/{{}}{answer['run_id']}")
        self._free.append(connection)

    async def read(self) -> None:
        """By turns a run, and the state of a thread; of those that were made in the last moments."""
        if not self._runs:
            return
        self._number += 1
        place = self._runs[-1 - self._number % min(1_000, len(self._runs))]
        path = place.format("runs/") if self._number % 2 else f"{place.split('{')[0]}state"
        connection = self._connection()
        begin = time.perf_counter()
        answer = await connection.get(path)
        self.reads.append(time.perf_counter() - begin)
        if answer.status != 200:
            raise Refused(f"a read was answered with {answer.status}: {answer.body[:300].decode(errors='replace')}")
        self._free.append(connection)

    def close(self) -> None:
        for connection in self._free:
            connection.close()

    def _connection(self) -> Connection:
        return self._free.pop() if self._free else self._server.connect()
