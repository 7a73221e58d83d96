"""`runyard batch`: submits files of runs and collects their results."""

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, BinaryIO

import click

from runyard.handlers.cli.batch import sinks
from runyard.handlers.cli.batch.client import BatchClient, BatchRefused
from runyard.handlers.cli.batch.input_file import Item, ItemReader, Problem, read_runs
from runyard.handlers.cli.batch.jobs import follow_runs, submit_items, unknown_assistants
from runyard.handlers.cli.batch.progress import format_count, format_rate, print_message, print_summary, progress
from runyard.handlers.cli.batch.results import ENDED, Result, Results

DEFAULT_URL = "http://127.0.0.1:8123"
SHOWN_PROBLEMS = 50

_url = click.option(
    "--url",
    default=DEFAULT_URL,
    envvar="RUNYARD_URL",
    show_default=True,
    show_envvar=True,
    help="The server.",
)
_api_key = click.option(
    "--api-key",
    metavar="KEY",
    envvar=("RUNYARD_API_KEY", "LANGGRAPH_API_KEY", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"),
    show_envvar=True,
    help="What the server asks of its callers. Others of this machine see options: better in the environment.",
)
_out = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results here, as JSON Lines. Without it they go to stdout, as a table on a terminal.",
)


@click.group()
def batch() -> None:
    """Submit files of runs and collect their results."""


@batch.command()
@click.argument("file", type=click.File("rb"))
@_url
@_api_key
@click.option("--assistant", metavar="NAME", help="Assistant or graph for the lines that are bare inputs.")
@click.option("--follow", is_flag=True, help="Wait for the runs and give their results.")
@_out
def submit(
    file: BinaryIO, url: str, api_key: str | None, assistant: str | None, follow: bool, out: Path | None
) -> None:
    """Submit FILE (JSON Lines, "-" for stdin) as a batch of stateless runs.

    Each line is the payload of a run, an object with "assistant_id", or else the bare input of a run of
    --assistant. Blank lines are skipped. Nothing is sent while a line is invalid, and a batch is accepted
    as a whole or not at all. A file of more runs than the server takes at once (10,000, unless it is configured
    otherwise) or of more than 100 MiB is sent as several batches, one after the other, each accepted as a whole: when
    one is refused, those before it stay accepted and are listed.

    Results are objects with line, run_id, thread_id, status (success, error, or paused at an interrupt)
    and values or error, in the order of the file. --out implies --follow; without both, the accepted
    runs are listed as pending, and `runyard batch follow` takes that list later.

    Exit code: 0 done, 1 a run failed or no server answers, 2 the file or an option is wrong.
    """
    items, problems = ItemReader(assistant).read(file)
    _exit_on(problems)
    if not items:
        raise BatchRefused(f"{file.name}: there are no runs in it")
    follow = follow or out is not None
    sink = sinks.open_sink(out, followed=follow)
    _run(_submit(url, api_key, items, sink, follow=follow), sink, url)


@batch.command("follow")
@click.argument("file", type=click.File("rb"))
@_url
@_api_key
@_out
def follow_command(file: BinaryIO, url: str, api_key: str | None, out: Path | None) -> None:
    """Wait for the runs listed in FILE, which `batch submit` wrote, and give their results.

    Runs that had ended when FILE was written are kept as they are. The outcome of a run whose thread is
    deleted at its end can be fetched for an hour, unless the server is configured otherwise.
    """
    runs, problems = read_runs(file)
    _exit_on(problems)
    sink = sinks.open_sink(out, followed=True)

    async def work() -> bool:
        async with BatchClient(url, api_key) as client:
            return await _follow(client, runs, runs, sink)

    _run(work(), sink, url)


async def _submit(url: str, api_key: str | None, items: list[Item], sink: sinks.Sink, *, follow: bool) -> bool:
    async with BatchClient(url, api_key) as client:
        _exit_on(await unknown_assistants(client, items))
        accepted: list[Result] = []
        started = time.monotonic()
        try:
            await submit_items(client, items, accepted)
        finally:
            if not follow or len(accepted) < len(items):
                for run in accepted:
                    sink.add(run)
        took = format_rate(len(accepted), time.monotonic() - started)
        print_message(f"{format_count(len(accepted))} accepted in {took}")
        if not follow:
            return True
        # Delayed runs last: waiting for them would hold up the results of the others.
        delays = {item.line: item.after_seconds for item in items}
        return await _follow(client, accepted, sorted(accepted, key=lambda run: delays[run.line]), sink)


async def _follow(client: BatchClient, runs: list[Result], order: list[Result], sink: sinks.Sink) -> bool:
    """Hands the outcomes of `runs` to the sink, waiting for them in `order`; whether none failed."""
    started = time.monotonic()
    results = Results(runs, sink.add)
    waiting = [run for run in order if run.status not in ENDED]
    try:
        with progress(len(waiting)) as advance:

            def ended(result: Result) -> None:
                results.add(result)
                advance()

            await follow_runs(client, waiting, ended)
    finally:
        results.close()
    print_summary(results, time.monotonic() - started)
    return not results.counts["error"]


def _run(work: Coroutine[Any, Any, bool], sink: sinks.Sink, url: str) -> None:
    try:
        good = asyncio.run(work)
    except KeyboardInterrupt:
        print_message(f"Interrupted. The runs that were accepted go on at {url}.")
        if path := sink.pending_runs_file():
            print_message(f"To look again: runyard batch follow {path} --url {url}")
        click.get_current_context().exit(130)
    finally:
        sink.close()
    if not good:
        click.get_current_context().exit(1)


def _exit_on(problems: list[Problem]) -> None:
    """Reports all problems, if there are any, and ends the command."""
    for problem in problems[:SHOWN_PROBLEMS]:
        print_message(f"line {problem.line}: {problem.text}")
    if len(problems) > SHOWN_PROBLEMS:
        print_message(f"and {len(problems) - SHOWN_PROBLEMS:,} more")
    if problems:
        count = "1 line is" if len(problems) == 1 else f"{len(problems):,} lines are"
        raise BatchRefused(f"{count} invalid; nothing was sent")
