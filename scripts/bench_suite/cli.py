"""The command line of `scripts/bench`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console

from scripts.bench_suite import (
    comparison,
    crons,
    databases,
    encrypting,
    floor,
    interactive,
    protocol,
    rates,
    searching,
    servers,
    size,
    storing,
)
from scripts.bench_suite.client import Broken
from scripts.bench_suite.effort import FULL, QUICK, Effort, for_official
from scripts.bench_suite.load import Refused
from scripts.bench_suite.report import Results, show, write
from scripts.bench_suite.servers import Server, ServerFailed

Measure = Callable[[Server, Effort], Awaitable[dict[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """fresh: on a server of its own. seconds: it is given up after so many. workers: of Runyard, if fixed. config: the
    project that Runyard serves."""

    name: str
    measure: Measure
    fresh: bool = False
    seconds: float = 120.0
    workers: int | None = None
    official: bool = True
    config: str = "langgraph.json"

    @property
    def about(self) -> str:
        return (self.measure.__doc__ or "").splitlines()[0]


SCENARIOS = (
    Scenario(name="ok", measure=rates.ok),
    Scenario(name="accept", measure=rates.accept, seconds=180),
    Scenario(name="noop", measure=rates.noop),
    Scenario(name="one-worker", measure=rates.one_worker, fresh=True, workers=1, official=False),
    Scenario(name="chain", measure=rates.chain),
    Scenario(name="sleep", measure=rates.sleep),
    Scenario(name="wait", measure=interactive.wait),
    Scenario(name="stream", measure=interactive.stream),
    Scenario(name="streams", measure=interactive.streams),
    Scenario(name="protocol", measure=protocol.protocol, official=False),
    Scenario(name="behind", measure=interactive.behind),
    Scenario(name="memory", measure=size.memory, fresh=True),
    Scenario(name="search", measure=searching.search, fresh=True, seconds=300, official=False),
    Scenario(name="crons", measure=crons.crons, fresh=True, seconds=300, official=False),
    Scenario(name="store", measure=storing.store, fresh=True, seconds=900, official=False, config="remembering.json"),
    Scenario(
        name="encryption",
        measure=encrypting.encryption,
        fresh=True,
        seconds=300,
        official=False,
        config="encrypting.json",
    ),
    Scenario(name="million", measure=size.million, fresh=True, seconds=600, official=False),
)


def main() -> int:
    options = _parser().parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    _raise_file_limit()
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    results = Results()
    code = 0
    if options.database is not None:
        return _compare(options, console)
    try:
        asyncio.run(_measure_all(options, results, console))
    except KeyboardInterrupt:
        console.print("interrupted; what was measured until now:")
        code = 130
    if results.runyard or results.official or results.floor:
        show(results, console)
        if options.json:
            write(results, options.json, {name: str(value) for name, value in vars(options).items() if value})
            console.print(f"Written to {options.json}.", markup=False)
    return code or bool(results.failures)


def _compare(options: argparse.Namespace, console: Console) -> int:
    """With a Postgres: that, beside SQLite."""
    chosen = [name for name in comparison.NAMES if not options.only or name in options.only]
    effort = QUICK if options.quick else FULL
    with contextlib.ExitStack() as stack:
        server = options.database or stack.enter_context(databases.private(options.data))
        compared = asyncio.run(comparison.compare(server, chosen, effort, options.data, console))
    comparison.show(compared, console)
    if options.json:
        comparison.write(compared, options.json, {"only": options.only, "quick": options.quick})
        console.print(f"Written to {options.json}.", markup=False)
    return bool(compared.failures)


def _parser() -> argparse.ArgumentParser:
    names = list(dict.fromkeys([*(scenario.name for scenario in SCENARIOS), *comparison.NAMES]))
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure Runyard on this machine: a server of its own, on a free port and a fresh data"
        " directory. Beside it the floor, which is the same graphs in one bare process with LangGraph's"
        " in-memory checkpointer, and on request the official development server. Let nothing else run then.",
        epilog="scenarios:\n"
        + "\n".join(f"  {scenario.name:<11} {scenario.about}" for scenario in SCENARIOS)
        + f"\nwith --database: {', '.join(comparison.NAMES)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        choices=names,
        help="measure this scenario only; may be repeated",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small sizes, about a minute: to see that all works, not to compare",
    )
    parser.add_argument(
        "--official",
        metavar="VENV",
        type=Path,
        help="also measure `langgraph dev` from this virtual environment, which has langgraph-cli[inmem]",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        nargs="?",
        const="",
        help="measure Runyard on this Postgres (a private one, with the settings of production, if none is named), by"
        " turns with SQLite; databases of their own are made in it, and dropped",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures to this file")
    parser.add_argument(
        "--workers", metavar="N", type=int, help="worker processes of Runyard (its own default otherwise)"
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="where the servers' fresh data directories are made instead of the system's temporary directory;"
        " a million runs need some GB",
    )
    parser.add_argument(
        "--without",
        metavar="PART",
        action="append",
        default=[],
        choices=["runyard", "floor"],
        help="leave out runyard or floor",
    )
    return parser


async def _measure_all(options: argparse.Namespace, results: Results, console: Console) -> None:
    effort = QUICK if options.quick else FULL
    busy = await asyncio.to_thread(psutil.cpu_percent, 1.0)
    if busy > 10:
        results.notes.append(f"The machine was busy at the start: {busy:.0f}% of its cores. Nothing here is exact.")
        console.print(results.notes[-1], style="yellow", markup=False)
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.name in options.only]

    async def beside(scenario: Scenario) -> None:
        """The floor right before the scenario it belongs to, so that both see the same machine."""
        if scenario.name in floor.FLOORS and "floor" not in options.without:
            console.print(f"floor: {scenario.name}", style="dim")
            results.floor |= await floor.measure(scenario.name, quick=options.quick)

    if "runyard" not in options.without:

        def runyard(scenario: Scenario) -> contextlib.AbstractAsyncContextManager[Server]:
            return servers.runyard(options.data, scenario.workers or options.workers, scenario.config)

        await _measure(runyard, chosen, effort, results.runyard, results, console, beside)
    else:
        for scenario in chosen:
            await beside(scenario)
    if options.official:

        def official(scenario: Scenario) -> contextlib.AbstractAsyncContextManager[Server]:
            return servers.official(options.official, options.data)

        known = [scenario for scenario in chosen if scenario.official]
        await _measure(official, known, for_official(effort), results.official, results, console)


async def _measure(
    start: Callable[[Scenario], contextlib.AbstractAsyncContextManager[Server]],
    scenarios: list[Scenario],
    effort: Effort,
    figures: dict[str, float],
    results: Results,
    console: Console,
    before: Callable[[Scenario], Awaitable[None]] | None = None,
) -> None:
    shared = [scenario for scenario in scenarios if not scenario.fresh]
    groups = [shared, *([scenario] for scenario in scenarios if scenario.fresh)]
    while groups:
        group = groups.pop(0)
        if not group:
            continue
        waiting = list(group)
        current: Scenario | None = None
        try:
            async with start(group[0]) as server:
                while waiting:
                    current = waiting.pop(0)
                    if before:
                        await before(current)
                    console.print(f"{server.name}: {current.name}", style="dim")
                    await _one(server, current, effort, figures, results)
        except (TimeoutError, Refused, Broken, OSError, ServerFailed) as error:
            if current is None:  # the server did not start, and would not for the others
                results.failures.append(f"{', '.join(scenario.name for scenario in group)}: {error}")
            else:
                results.failures.append(f"{current.name}: {str(error) or f'not done in {current.seconds:.0f} s'}")
                # What is left of it would disturb the others: they get another server.
                groups.insert(0, waiting)
            console.print(results.failures[-1], style="red", markup=False)


async def _one(server: Server, scenario: Scenario, effort: Effort, figures: dict[str, float], results: Results) -> None:
    begin, cpu = time.perf_counter(), time.process_time()
    async with asyncio.timeout(scenario.seconds):
        figures |= await scenario.measure(server, effort)
    if server.name == "runyard":
        results.client[scenario.name] = (time.process_time() - cpu) / (time.perf_counter() - begin)


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(4096, hard) if hard != resource.RLIM_INFINITY else 4096
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
