"""Where results go: a file that can be gone on with, stdout as JSON Lines, or a table on a terminal."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runyard.handlers.cli.batch.errors import BatchRefused
from runyard.handlers.cli.batch.progress import COLOURS, format_error
from runyard.handlers.cli.batch.results import Result, Seen, parse_result

ROWS = 20
"""Rows that the table shows; a file has them all."""


class Sink(Protocol):
    """Takes results as they come."""

    def add(self, result: Result) -> None:
        """Takes the next result."""

    def close(self, *, whole: bool) -> None:
        """Shows or completes what was taken; `whole`: nothing is to come."""


def open_sink(output: Path | None, batch_ids: Sequence[str], seen: dict[str, Seen], *, as_json: bool) -> Sink:
    """The sink for --output, or for stdout. What the file has already is put into `seen`."""
    if output is not None:
        return ResultFile(output, batch_ids, seen)
    if sys.stdout.isatty() and not as_json:
        return Terminal()
    return JsonLines(sys.stdout.buffer)


class JsonLines:
    """One JSON object a line, at once: whoever reads them may wait for each."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def add(self, result: Result) -> None:
        """Writes it."""
        self._stream.write(result.line + b"\n")
        self._stream.flush()

    def close(self, *, whole: bool) -> None:
        """Nothing is left to be done."""


class ResultFile:
    """A file to which results are added as they come, and which is put into the order of the batches at the end.

    One that is there already is gone on with: a line that was cut off is removed, and whole lines are not asked for
    again.
    """

    def __init__(self, path: Path, batch_ids: Sequence[str], seen: dict[str, Seen]) -> None:
        """Raises `BatchRefused` for a file that holds something else, and click.BadParameter when it cannot be
        written."""
        self._path = path
        self._places: dict[tuple[int, int], tuple[int, int]] = {}
        """Of each item, by the places of its batch and of itself: where its latest line begins, and its length."""
        self._order = {batch_id: number for number, batch_id in enumerate(batch_ids)}
        self._end = 0
        self._moved = False
        try:
            self._stream = path.open("r+b" if path.exists() else "x+b")
        except OSError as error:
            raise click.BadParameter(f"{path}: {error.strerror}", param_hint="--output") from None
        for line in self._stream:
            if not line.endswith(b"\n"):
                break
            try:
                result = parse_result(line[:-1])
                self._note(result)
            except (ValueError, KeyError, TypeError):
                raise BatchRefused(
                    f"--output {path}: it holds something other than results of these batches; name another file"
                ) from None
            seen[result.batch_id].add(result)
        self._stream.seek(self._end)
        self._stream.truncate()

    def add(self, result: Result) -> None:
        """Appends it."""
        self._stream.write(result.line + b"\n")
        self._stream.flush()  # it is there whatever ends this process
        self._note(result)

    def close(self, *, whole: bool) -> None:
        """Closes the file, in order if nothing is to come."""
        self._stream.flush()
        if whole and self._moved:
            self._put_in_order()
        self._stream.close()

    def _note(self, result: Result) -> None:
        place = (self._order[result.batch_id], result.index)
        self._moved = self._moved or (bool(self._places) and place <= next(reversed(self._places)))
        self._places.pop(place, None)
        self._places[place] = (self._end, len(result.line) + 1)
        self._end += len(result.line) + 1

    def _put_in_order(self) -> None:
        sorted_path = self._path.with_name(f"{self._path.name}.sorted")
        with sorted_path.open("wb") as target:
            for _, (start, size) in sorted(self._places.items()):
                self._stream.seek(start)
                target.write(self._stream.read(size))
        os.replace(sorted_path, self._path)


class Terminal:
    """A table of the first results."""

    def __init__(self) -> None:
        self._rows: list[Result] = []
        self._count = 0

    def add(self, result: Result) -> None:
        """Adds it as a row, while there is room."""
        self._count += 1
        if len(self._rows) < ROWS:
            self._rows.append(result)

    def close(self, *, whole: bool) -> None:
        """Prints the table."""
        if not self._rows:
            return
        table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
        table.add_column("item", justify="right")
        table.add_column("status")
        table.add_column("values or error", no_wrap=True, overflow="ellipsis", ratio=1)
        for row in self._rows:
            value = row.value
            outcome = format_error(value["error"]) if value.get("error") else _short(value.get("values"))
            item = row.index if value.get("custom_id") is None else value["custom_id"]
            table.add_row(str(item), f"[{COLOURS.get(row.status, 'default')}]{row.status}[/]", escape(outcome))
        console = Console()
        console.print(table)
        if self._count > ROWS:
            console.print(f"... and {self._count - ROWS:,} more; --output FILE keeps them all", style="dim")


def _short(values: Any) -> str:
    if isinstance(values, dict):
        return ", ".join(f"{key}: {_brief(value)}" for key, value in values.items())
    return "" if values is None else _brief(values)


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return f"[{len(value)}]"
    return "{...}" if isinstance(value, dict) else str(value).replace("\n", " ")
