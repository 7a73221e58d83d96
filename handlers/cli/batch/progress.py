"""What `runyard batch` prints for people, on stderr: progress, counts, failures."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.text import Text

from runyard.handlers.cli.batch.results import ENDED, Results

_PRINT_INTERVAL = 2.0
"""Seconds between two lines of progress where there is no terminal."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        elapsed = task.finished_time if task.finished else task.elapsed
        rate = task.completed / elapsed if elapsed else 0
        return Text(f"{rate:,.0f} runs/s" if rate >= 10 or not rate else f"{rate:.1f} runs/s")


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """Shows how many of `total` runs have ended; the function given is called for each."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_progress(total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), Elapsed())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Running", total=total)
        yield lambda: bar.advance(task)


def _plain_progress(total: int) -> Callable[[], None]:
    done = 0
    shown = time.monotonic()

    def advance() -> None:
        nonlocal done, shown
        done += 1
        now = time.monotonic()
        if now - shown >= _PRINT_INTERVAL and done < total:
            shown = now
            print_message(f"{done:,} of {total:,} runs ended")

    return advance


def print_message(text: str) -> None:
    """Prints one line."""
    click.echo(text, err=True)


def format_count(count: int) -> str:
    """A number of runs."""
    return "1 run" if count == 1 else f"{count:,} runs"


def format_rate(count: int, seconds: float) -> str:
    """`count` runs in `seconds`, as "0.30 s (412 runs/s)"."""
    return f"{seconds:.2f} s ({count / max(seconds, 1e-6):,.0f} runs/s)"


def print_summary(results: Results, seconds: float) -> None:
    """Prints how the runs ended, how fast, and the first few that failed."""
    counts = ", ".join(f"{results.counts[status]:,} {status}" for status in ENDED if results.counts[status])
    ended = results.counts.total()
    print_message(f"{format_count(ended)} ended in {format_rate(ended, seconds)}: {counts}")
    for run in sorted(results.failed, key=lambda run: run.line)[:5]:
        print_message(f"  line {run.line}: {format_error(run.error)}")
    if len(results.failed) > 5:
        print_message(f"  and {len(results.failed) - 5:,} more failed")


def format_error(error: Any) -> str:
    """An error as one line."""
    if isinstance(error, dict) and "message" in error:
        return f"{error.get('error', 'error')}: {error['message']}"
    return str(error)
