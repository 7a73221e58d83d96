"""`runyard batch`: submits files of runs, follows and stops batches, and collects their results."""

from collections.abc import Sequence
from pathlib import Path

import click

from runyard.handlers.cli.batch import options
from runyard.handlers.cli.batch.collecting import collect, connected, watch_batches
from runyard.handlers.cli.batch.progress import format_counts, print_message
from runyard.handlers.cli.batch.results import FAILURES
from runyard.handlers.cli.batch.server import Batch
from runyard.handlers.cli.batch.submit import submit
from runyard.handlers.cli.batch.tables import ENDED, print_batch, print_json, print_table, title_of

STATUSES = ("accepting", "queued", "running", *ENDED)


@click.group()
def batch() -> None:
    """Submit files of runs, follow and stop batches, and collect their results.

    Exit codes: 0 done; 1 a run that was waited for has failed, or no server answers; 2 what was given is wrong, or the
    server refuses it; 130 interrupted: what was accepted goes on.
    """


@batch.command("list")
@options.server_options
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="Only those with this status; repeatable.")
@click.option("--name", help="Only those whose name contains this.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@options.as_json
def list_command(
    url: str, api_key: str | None, status: tuple[str, ...], name: str | None, limit: int, as_json: bool
) -> None:
    """List batches, the newest first."""
    with connected(url, api_key) as server:
        found = server.search(status, name, limit)
    if as_json:
        for each in found:
            print_json(each)
    elif found:
        print_table(found)
    else:
        print_message("There are no such batches.")


@batch.command()
@options.batch_ids
@options.server_options
@options.as_json
def show(batch_ids: tuple[str, ...], url: str, api_key: str | None, as_json: bool) -> None:
    """Show all about a batch: counts, progress, durations, tokens, what was asked for it."""
    with connected(url, api_key) as server:
        _show([server.get(batch_id) for batch_id in batch_ids], as_json=as_json)


@batch.command()
@options.batch_ids
@options.server_options
@options.as_json
def watch(batch_ids: tuple[str, ...], url: str, api_key: str | None, as_json: bool) -> None:
    """Wait for the end of batches, and show their progress.

    With --json, a line of JSON each time that one has changed. Exit code 1 when a run has failed.
    """
    with connected(url, api_key) as server:
        watch_batches(server, batch_ids, print_json if as_json else lambda batch: None)


@batch.command()
@options.batch_ids
@options.server_options
@click.option(
    "--status", type=click.Choice(["success", *FAILURES]), multiple=True, help="Only items that ended so; repeatable."
)
@click.option("--follow", is_flag=True, help="Wait for those to come, until the batches have ended.")
@options.output
@options.as_json
def results(
    batch_ids: tuple[str, ...],
    url: str,
    api_key: str | None,
    status: tuple[str, ...],
    follow: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Give the results of batches as JSON Lines, or as a table on a terminal.

    A line has batch_id, index (the place in the batch, from 0), run_id, custom_id, status, attempts, values and error.
    They are in the order of the batch; with --follow those that were to come are in the order of their ends.

    --output FILE can be interrupted: the same command again asks for what FILE lacks. When the batches have ended, FILE
    is put into their order, with the latest result of items that were retried. Exit code 1 when a run has failed.
    """
    with connected(url, api_key) as server:
        collect(server, batch_ids, output, status, follow=follow, as_json=as_json)


@batch.command()
@options.batch_ids
@options.server_options
@options.as_json
def cancel(batch_ids: tuple[str, ...], url: str, api_key: str | None, as_json: bool) -> None:
    """Stop all runs of batches that have not ended."""
    with connected(url, api_key) as server:
        found = [server.cancel(batch_id) for batch_id in batch_ids]
    _tell(found, as_json=as_json)


@batch.command()
@options.batch_ids
@options.server_options
@click.option(
    "--status",
    type=click.Choice(FAILURES),
    multiple=True,
    help="Which items, by how they ended; repeatable. Without it those that ended in error or timeout.",
)
@options.as_json
def retry(batch_ids: tuple[str, ...], url: str, api_key: str | None, status: tuple[str, ...], as_json: bool) -> None:
    """Run the failed items of batches again, each as a new run.

    Their results take the place of those before.
    """
    with connected(url, api_key) as server:
        found = [server.retry(batch_id, status) for batch_id in batch_ids]
    _tell(found, as_json=as_json)


def _show(found: Sequence[Batch], *, as_json: bool) -> None:
    for number, each in enumerate(found):
        if as_json:
            print_json(each)
            continue
        if number:
            click.echo()
        print_batch(each)


def _tell(found: Sequence[Batch], *, as_json: bool) -> None:
    for each in found:
        if as_json:
            print_json(each)
        else:
            print_message(f"{title_of(each)}: {each['status']}, {format_counts(each['counts'])}")


batch.add_command(submit)
