"""Runyard on Postgres beside Runyard on SQLite, by turns in one series, and what it is to reach."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from scripts.bench_suite import across, capacity, claiming, databases, interactive, rates, servers
from scripts.bench_suite.client import Broken
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.load import Refused, checked, ended, run
from scripts.bench_suite.rates import Figures
from scripts.bench_suite.servers import Server, ServerFailed

WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One row. least, most: of Postgres' figure, as times that of SQLite where `times`."""

    key: str
    title: str
    unit: str
    least: float | None = None
    most: float | None = None
    times: bool = False


GOALS = (
    Goal(key="noop_rate", title="finished one-node runs, two workers", unit="/s", least=0.75, times=True),
    Goal(key="noop_kept_rate", title="  kept (on_completion keep)", unit="/s"),
    Goal(key="chain_rate", title="finished 10-node chains", unit="/s", least=0.75, times=True),
    Goal(key="wait_1_p50", title="/runs/wait, 1 client, p50", unit="ms", most=3, times=True),
    Goal(key="wait_1_p99", title="  p99", unit="ms"),
    Goal(key="wait_32_rate", title="/runs/wait, 32 clients", unit="/s"),
    Goal(key="batch_seconds", title="one large batch, until it is durable", unit="s", most=3, times=True),
    Goal(key="claim_empty_p99", title="claim of 16, empty queue, p99", unit="ms"),
    Goal(key="claim_full_p99", title="  behind delayed runs, p99", unit="ms"),
    Goal(key="claim_times", title="  times that of the empty queue", unit="x", most=2),
    Goal(key="across_complete", title="10,000 events/s across servers, complete", unit="%", least=100),
    Goal(key="across_p50", title="  p50", unit="ms"),
    Goal(key="across_p99", title="  p99", unit="ms", most=10),
    Goal(key="capacity_done", title="steady load of 1 s runs and reads, done", unit="%", least=100),
    Goal(key="capacity_start_p50", title="  start, p50", unit="ms"),
    Goal(key="capacity_start_p99", title="  start, p99", unit="ms", most=300),
    Goal(key="capacity_read_p50", title="  read, p50", unit="ms"),
    Goal(key="capacity_read_p99", title="  read, p99", unit="ms", most=80),
)


async def large_batch(server: Server, effort: Effort) -> Figures:
    """One large batch onto an idle server, until it is accepted."""
    mark = secrets.token_hex(8)
    connection = server.connect()
    body = orjson.dumps([run("noop", metadata={"bench": mark})] * effort.large_batch)
    request = connection.request("POST", "/runs/batch", body)
    begin = time.perf_counter()
    checked(await connection.send(request, lambda chunk, now: None), "a large batch")
    seconds = time.perf_counter() - begin
    await ended(server, mark, begin, effort.large_batch)
    connection.close()
    return {"batch_seconds": seconds}


Measure = Callable[[Server, Effort], Awaitable[Figures]]
BOTH: dict[str, Measure] = {
    "noop": rates.noop,
    "chain": rates.chain,
    "wait": interactive.wait,
    "batch": large_batch,
    "capacity": capacity.capacity,
}
"""What is measured on both, each time on fresh servers of both."""
NAMES = (*BOTH, "claims", "across")


@dataclass(slots=True)
class Comparison:
    """Figures of all rounds by key; `load`: the load average of the machine at the beginning and the end."""

    sqlite: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    postgres: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    load: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def row(self, goal: Goal) -> tuple[float | None, float | None, float | None, bool | None]:
        """SQLite's figure, Postgres', how many times the first the second is, and whether the goal is reached."""
        sqlite, postgres = (
            statistics.median(values[goal.key]) if goal.key in values else None
            for values in (self.sqlite, self.postgres)
        )
        times = None if sqlite is None or postgres is None or not sqlite else postgres / sqlite
        judged = times if goal.times else postgres
        if judged is None or (goal.least is None and goal.most is None):
            return sqlite, postgres, times, None
        met = judged >= goal.least if goal.least is not None else judged <= (goal.most or 0.0)
        return sqlite, postgres, times, met


async def compare(server: str, chosen: list[str], effort: Effort, base: Path | None, console: Console) -> Comparison:
    """Measures all that is chosen on a Postgres and beside it."""
    comparison = Comparison(load=[os.getloadavg()[0]])
    for name in chosen:
        for number in range(1 if name in ("capacity", "claims", "across") else effort.repeat):
            console.print(f"{name}, {number + 1}", style="dim")
            try:
                await _round(name, server, effort, base, comparison)
            except (TimeoutError, Refused, Broken, OSError, ServerFailed, ExceptionGroup) as error:
                comparison.failures.append(f"{name}: {_told(error)}")
                console.print(comparison.failures[-1], style="red", markup=False)
    comparison.load.append(os.getloadavg()[0])
    return comparison


async def _round(name: str, server: str, effort: Effort, base: Path | None, comparison: Comparison) -> None:
    async with asyncio.timeout(600 + 4 * effort.capacity_seconds):
        if name == "claims":
            _note(comparison.postgres, await claiming.claims(server, effort))
        elif name == "across":
            with databases.fresh(server) as database:
                _note(comparison.postgres, await across.stream(database, effort, base))
        else:
            async with servers.runyard(base, WORKERS) as own:
                _note(comparison.sqlite, await BOTH[name](own, effort))
            with databases.fresh(server) as database:
                async with servers.runyard(base, WORKERS, database=database) as own:
                    _note(comparison.postgres, await BOTH[name](own, effort))


def _note(figures: dict[str, list[float]], measured: Figures) -> None:
    for key, value in measured.items():
        figures[key].append(value)


def _told(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or "not done in time"


def show(comparison: Comparison, console: Console) -> None:
    """Prints what was measured, with goals."""
    table = Table(title="Postgres beside SQLite", title_justify="left", header_style="bold", pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("", no_wrap=True)
    for heading in ("SQLite", "Postgres", "times"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("goal", no_wrap=True)
    table.add_column("", no_wrap=True)
    for goal in GOALS:
        sqlite, postgres, times, met = comparison.row(goal)
        if postgres is None:
            continue
        verdict = "" if met is None else "[green]yes[/]" if met else "[red]NO[/]"
        table.add_row(goal.title, goal.unit, _number(sqlite), _number(postgres), _number(times), _text(goal), verdict)
    console.print(table)
    console.print(f"Load of the machine: {' to '.join(f'{load:.1f}' for load in comparison.load)}.", markup=False)
    for failure in comparison.failures:
        console.print(failure, style="yellow", markup=False)


def write(comparison: Comparison, file: Path, options: dict[str, Any]) -> None:
    """Writes everything as JSON."""
    rows = {}
    for goal in GOALS:
        _, _, times, met = comparison.row(goal)
        rows[goal.key] = {
            "title": goal.title.strip(),
            "unit": goal.unit,
            "sqlite": comparison.sqlite.get(goal.key),
            "postgres": comparison.postgres.get(goal.key),
            "times": times,
            "goal": _text(goal) or None,
            "met": met,
        }
    document = {"options": options, "load": comparison.load, "figures": rows, "failures": comparison.failures}
    file.write_text(json.dumps(document, indent=2) + "\n")


def _text(goal: Goal) -> str:
    if goal.least is None and goal.most is None:
        return ""
    bound = f">= {goal.least:g}" if goal.least is not None else f"<= {goal.most:g}"
    return f"{bound} of SQLite's" if goal.times else f"{bound} {goal.unit}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
