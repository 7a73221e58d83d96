"""`runyard batch submit`."""

from pathlib import Path
from typing import Any, BinaryIO

import click

from runyard.handlers.cli.batch import options
from runyard.handlers.cli.batch.batch_headers import batch_headers, batch_options
from runyard.handlers.cli.batch.collecting import collect, connected, watch_batches
from runyard.handlers.cli.batch.csv_file import read_table
from runyard.handlers.cli.batch.errors import BatchRefused
from runyard.handlers.cli.batch.input_file import ItemReader, Problem
from runyard.handlers.cli.batch.progress import format_count, print_message
from runyard.handlers.cli.batch.submission import Submission, new_key, submit_items, unknown_assistants
from runyard.handlers.cli.batch.tables import print_json

SHOWN_PROBLEMS = 50
STDIN = "<stdin>"


@click.command()
@click.argument("file", type=click.File("rb"))
@options.server_options
@click.option("--assistant", metavar="NAME", help="Assistant or graph for the lines that are bare inputs.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "csv"]),
    help="What FILE is; csv for one whose name ends so, JSON Lines otherwise.",
)
@batch_options
@click.option("--key", help="What the file's idempotency keys begin with, instead of keys derived from what it holds.")
@click.option("--new", is_flag=True, help="Submit once more what was submitted before.")
@click.option("--watch", is_flag=True, help="Wait for the end, and show progress.")
@options.output
@options.as_json
def submit(
    file: BinaryIO,
    url: str,
    api_key: str | None,
    assistant: str | None,
    format_: str | None,
    key: str | None,
    new: bool,
    watch: bool,
    output: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Submit FILE ("-" for stdin) as a batch of stateless runs; writes the batch's id to stdout.

    A line of JSON Lines is the payload of a run, an object with "assistant_id", or else the bare input of a run of
    --assistant; blank lines are skipped. Of CSV the first row names the columns, and each other row is an input with
    its cells as text; a column custom_id goes into the run's metadata instead.

    Nothing is sent while a line is invalid, and a batch is accepted as a whole or not at all. A file of more runs than
    the server takes at once (10,000, unless it is configured otherwise) or of more than 100 MiB is sent as several
    batches, one after the other.

    The same command again makes nothing twice for as long as the server keeps keys, a day usually: it finds the batches
    that it had made, and goes on. --new makes others.

    --output FILE waits for the results and writes them to FILE, as `runyard batch results --follow` does.
    """
    if key is not None and new:
        raise BatchRefused("--key and --new exclude each other")
    name = str(getattr(file, "name", STDIN))
    csv = format_ == "csv" or (format_ is None and name.lower().endswith(".csv"))
    items, problems = read_table(file, assistant) if csv else ItemReader(assistant).read(file)
    _exit_on(problems)
    if not items:
        raise BatchRefused(f"{name}: there are no runs in it")
    headers = batch_headers(None if name == STDIN else Path(name).name, **asked)
    submission = Submission(new_key() if new else key, headers)
    with connected(url, api_key) as server:
        _exit_on(unknown_assistants(server, items))
        batch_ids: list[str] = []
        for accepted in submit_items(server, items, submission):
            batch_ids.append(accepted.batch_id)
            count = format_count(accepted.count)
            if accepted.replayed:
                print_message(f"{count} had been accepted before, from the same file; --new submits them once more")
            else:
                print_message(f"{count} accepted")
            if as_json:
                print_json(server.get(accepted.batch_id))
            elif output is None:
                click.echo(accepted.batch_id)
        if output is not None:
            collect(server, batch_ids, output, (), follow=True, as_json=as_json)
        elif watch:
            watch_batches(server, batch_ids, lambda batch: None)


def _exit_on(problems: list[Problem]) -> None:
    """Reports all problems, if there are any, and ends the command."""
    for problem in problems[:SHOWN_PROBLEMS]:
        print_message(f"line {problem.line}: {problem.text}")
    if len(problems) > SHOWN_PROBLEMS:
        print_message(f"and {len(problems) - SHOWN_PROBLEMS:,} more")
    if problems:
        count = "1 line is" if len(problems) == 1 else f"{len(problems):,} lines are"
        raise BatchRefused(f"{count} invalid; nothing was sent")
