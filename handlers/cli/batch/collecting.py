"""What several commands of `runyard batch` do: wait for batches, and collect their results."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from runyard.handlers.cli.batch.progress import format_counts, print_message, print_summary, progress
from runyard.handlers.cli.batch.results import FAILURES, Seen, read_results
from runyard.handlers.cli.batch.server import Batch, BatchServer
from runyard.handlers.cli.batch.sinks import open_sink
from runyard.handlers.cli.batch.tables import ENDED, failed_of, title_of, total_of

LOOK_INTERVAL = 0.5
"""Seconds between two looks at batches that are watched."""


@contextmanager
def connected(url: str, api_key: str | None) -> Iterator[BatchServer]:
    """The server, until the command ends or is interrupted."""
    with BatchServer(url, api_key) as server:
        try:
            yield server
        except KeyboardInterrupt:
            print_message(f"Interrupted. What was accepted goes on at {url}; the same command goes on with the rest.")
            click.get_current_context().exit(130)


def watch_batches(server: BatchServer, batch_ids: Sequence[str], changed: Callable[[Batch], None]) -> None:
    """Returns when all have ended; exits when a run has failed. `changed` is told of each change."""
    latest: dict[str, Batch] = {}
    waiting = list(dict.fromkeys(batch_ids))
    with progress() as tell:
        while waiting:
            for batch_id in list(waiting):
                found = server.get(batch_id, patient=batch_id in latest)
                if found != latest.get(batch_id):
                    changed(found)
                latest[batch_id] = found
                tell(batch_id, title_of(found), found["counts"], total_of(found))
                if found["status"] in ENDED:
                    waiting.remove(batch_id)
            if waiting:
                time.sleep(LOOK_INTERVAL)
    for found in latest.values():
        print_message(f"{title_of(found)}: {found['status']}, {format_counts(found['counts'])}")
    if any(failed_of(found) for found in latest.values()):
        click.get_current_context().exit(1)


def collect(
    server: BatchServer,
    batch_ids: Sequence[str],
    output: Path | None,
    statuses: Sequence[str],
    *,
    follow: bool,
    as_json: bool,
) -> None:
    """Hands results to their sink; exits when a run has failed."""
    batches = {batch_id: server.get(batch_id) for batch_id in dict.fromkeys(batch_ids)}
    seen = {batch_id: Seen() for batch_id in batches}
    sink = open_sink(output, list(batches), seen, as_json=as_json)
    started, new, whole = time.monotonic(), Counter[str](), False
    try:
        with progress() as tell:
            for batch_id, batch in batches.items():
                counts, total = seen[batch_id].counts, total_of(batch)
                tell(batch_id, title_of(batch), counts, total)
                lines = read_results(server, batch_id, total, seen[batch_id], statuses=statuses, follow=follow)
                for result in lines:
                    sink.add(result)
                    new[result.status] += 1
                    counts[result.status] += 1
                    tell(batch_id, title_of(batch), counts, total)
        whole = follow or all(batch["status"] in ENDED for batch in batches.values())
    finally:
        sink.close(whole=whole)
    print_summary(new, time.monotonic() - started)
    if any(seen[batch_id].counts[status] for batch_id in batches for status in FAILURES):
        click.get_current_context().exit(1)
