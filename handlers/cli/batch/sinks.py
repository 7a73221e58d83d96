"""Where results go: a file or stdout as JSON Lines, or a table on a terminal."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runyard.handlers.cli.batch.progress import format_error
from runyard.handlers.cli.batch.results import Result

ROWS = 20
"""Rows that the table shows; a file has them all."""
_COLOURS = {"success": "green", "error": "red", "paused": "yellow", "pending": "dim"}


class Sink(Protocol):
    """Takes results in the order of the input."""

    def add(self, run: Result) -> None:
        """Takes the next result."""

    def close(self) -> None:
        """Shows or completes what was taken."""

    def pending_runs_file(self) -> str | None:
        """A file that `runyard batch follow` can take later; None if the results went elsewhere."""


def open_sink(out: Path | None, *, followed: bool) -> Sink:
    """The sink for --out, or for stdout. A file is opened at once, so that a bad path is found early."""
    if out is not None:
        try:
            return JsonLines(out.open("wb"), str(out))
        except OSError as error:
            raise click.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from None
    if sys.stdout.isatty():
        return Terminal(table=followed)
    return JsonLines(sys.stdout.buffer, None)


class JsonLines:
    """One JSON object a line."""

    def __init__(self, stream: BinaryIO, path: str | None) -> None:
        self._stream = stream
        self._path = path

    def add(self, run: Result) -> None:
        """Writes it."""
        self._stream.write(run.to_json() + b"\n")

    def close(self) -> None:
        """Flushes, and closes a file."""
        self._stream.flush()
        if self._path is not None:
            self._stream.close()

    def pending_runs_file(self) -> str | None:
        """The file itself: what had not ended stands in it as pending."""
        return self._path


class Terminal:
    """A table of the first results, or nothing when nobody waits for them."""

    def __init__(self, *, table: bool) -> None:
        self._table = table
        self._rows: list[Result] = []
        self._count = 0
        self._pending: list[Result] = []

    def add(self, run: Result) -> None:
        """Adds it as a row, while there is room."""
        self._count += 1
        if len(self._rows) < ROWS:
            self._rows.append(run)
        if run.status == "pending":
            self._pending.append(replace(run, values=None))

    def close(self) -> None:
        """Prints the table."""
        if not self._table or not self._rows:
            return
        table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
        table.add_column("line", justify="right")
        table.add_column("status")
        table.add_column("values or error", no_wrap=True, overflow="ellipsis", ratio=1)
        for run in self._rows:
            outcome = format_error(run.error) if run.status == "error" else _short(run.values)
            colour = _COLOURS.get(run.status, "default")
            table.add_row(str(run.line), f"[{colour}]{run.status}[/]", escape(outcome))
        console = Console()
        console.print(table)
        if self._count > ROWS:
            console.print(f"... and {self._count - ROWS:,} more; --out FILE keeps them all", style="dim")

    def pending_runs_file(self) -> str | None:
        """Writes the runs that have not ended into a new file: without their ids nobody could follow them."""
        if not self._pending:
            return None
        path = Path(time.strftime("runyard-runs-%Y%m%d-%H%M%S.jsonl"))
        path.write_bytes(b"".join(run.to_json() + b"\n" for run in self._pending))
        return str(path)


def _short(values: Any) -> str:
    if isinstance(values, dict):
        return ", ".join(f"{key}: {_brief(value)}" for key, value in values.items())
    return "" if values is None else _brief(values)


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return f"[{len(value)}]"
    return "{...}" if isinstance(value, dict) else str(value).replace("\n", " ")
