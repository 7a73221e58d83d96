"""Scenario of crons: those that are not due cost nothing, and those that are due together make their runs at once."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from scripts.bench_suite.client import Connection
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.load import checked, finish, run
from scripts.bench_suite.rates import Figures
from scripts.bench_suite.servers import Server

_CLIENTS = 16
_IDLE = "0 0 29 2 *"
_AHEAD = 100.0
"""Crons that are made in a second, at the least: the moment at which all are due must not come before."""


async def crons(server: Server, effort: Effort) -> Figures:
    """Runs beside crons that are not due; then many crons that are due at one moment."""
    await finish(server, "noop", 200)  # warm up
    without = effort.noop_runs / await finish(server, "noop", effort.noop_runs)
    began = time.perf_counter()
    await _create(server, (run("noop", schedule=_IDLE) for _ in range(effort.idle_crons)))
    figures: Figures = {
        "crons_idle": effort.idle_crons,
        "crons_created": effort.idle_crons / (time.perf_counter() - began),
        "crons_noop_without": without,
        "crons_noop_rate": effort.noop_runs / await finish(server, "noop", effort.noop_runs),
        "crons_due": effort.due_crons,
    }
    mark = secrets.token_hex(8)
    moment = int(time.time() + 3 + effort.due_crons / _AHEAD)
    due = datetime.fromtimestamp(moment, UTC)
    fields: dict[str, Any] = {
        "schedule": f"{due:%M %H %d %m} * {due:%S}",
        "on_run_completed": "keep",
        "metadata": {"bench": mark},
    }
    await _create(server, (run("noop", **fields) for _ in range(effort.due_crons)))
    connection = server.connect()
    wanted: dict[str, Any] = {"metadata": {"bench": mark}}
    figures["crons_made"] = await _counted(server, connection, wanted, effort.due_crons, moment)
    figures["crons_ended"] = await _counted(server, connection, {**wanted, "status": "idle"}, effort.due_crons, moment)
    connection.close()
    return figures


async def _create(server: Server, payloads: Iterator[dict[str, Any]]) -> None:
    async def client(connection: Connection) -> None:
        for payload in payloads:
            checked(await connection.post("/runs/crons", payload), "creating a cron")
        connection.close()

    await asyncio.gather(*(client(server.connect()) for _ in range(_CLIENTS)))


async def _counted(
    server: Server, connection: Connection, wanted: dict[str, Any], threads: int, moment: float
) -> float:
    """Seconds since the moment until there are so many threads like that."""
    await asyncio.sleep(max(0.0, moment - time.time()))
    while int(checked(await connection.post("/threads/count", wanted), "counting threads").body) < threads:
        server.check()
        await asyncio.sleep(0.02)
    return time.time() - moment
