"""What `runyard batch` prints for people: messages and progress on stderr."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

COLOURS = {
    "success": "green",
    "completed": "green",
    "error": "red",
    "timeout": "red",
    "interrupted": "yellow",
    "cancelled": "yellow",
    "running": "cyan",
}
_ENDED = ("success", "error", "timeout", "interrupted")
_PRINT_INTERVAL = 2.0
"""Seconds between two lines of progress where there is no terminal."""

Tell = Callable[[str, str, Mapping[str, int], int], None]
"""Is told, of a batch by its id and title, how many items have ended how, and of how many."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        elapsed = task.finished_time if task.finished else task.elapsed
        rate = task.completed / elapsed if elapsed else 0
        return Text(f"{rate:,.0f} runs/s" if rate >= 10 or not rate else f"{rate:.1f} runs/s")


@contextmanager
def progress() -> Iterator[Tell]:
    """Shows a bar for each batch, or a line now and then where there is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_progress()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}", style="red"),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def tell(batch_id: str, title: str, counts: Mapping[str, int], total: int) -> None:
            if batch_id not in tasks:
                tasks[batch_id] = bars.add_task(title, total=total, failed="")
            failed = sum(counts.get(status, 0) for status in _ENDED[1:])
            done = failed + counts.get("success", 0)
            text = f"{failed:,} failed" if failed else ""
            bars.update(tasks[batch_id], completed=done, total=total, failed=text)

        yield tell


def _plain_progress() -> Tell:
    shown = time.monotonic()

    def tell(batch_id: str, title: str, counts: Mapping[str, int], total: int) -> None:
        nonlocal shown
        done = sum(counts.get(status, 0) for status in _ENDED)
        now = time.monotonic()
        if now - shown >= _PRINT_INTERVAL and done < total:
            shown = now
            print_message(f"{title}: {done:,} of {total:,} runs ended")

    return tell


def print_message(text: str) -> None:
    """Prints one line."""
    click.echo(text, err=True)


def format_count(count: int) -> str:
    """A number of runs."""
    return "1 run" if count == 1 else f"{count:,} runs"


def format_rate(count: int, seconds: float) -> str:
    """`count` runs in `seconds`, as "0.30 s (412 runs/s)"."""
    return f"{seconds:.2f} s ({count / max(seconds, 1e-6):,.0f} runs/s)"


def format_counts(counts: Mapping[str, int]) -> str:
    """How many have which status, as "3 success, 1 error"."""
    ordered = [*_ENDED, "running", "pending"]
    return ", ".join(f"{counts[status]:,} {status}" for status in ordered if counts.get(status)) or "no runs"


def print_summary(counts: Counter[str], seconds: float) -> None:
    """Prints how runs ended whose results came, and how fast."""
    if not counts:
        print_message("No results came that were not there already.")
        return
    print_message(
        f"{format_count(counts.total())} ended in {format_rate(counts.total(), seconds)}: {format_counts(counts)}"
    )


def format_error(error: Any) -> str:
    """An error as one line."""
    if isinstance(error, dict) and "message" in error:
        return f"{error.get('error', 'error')}: {error['message']}"
    return str(error)
