"""Batches as people see them: a table of many, and all about one."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runyard.handlers.cli.batch.progress import COLOURS, format_counts
from runyard.handlers.cli.batch.server import Batch

ENDED = ("completed", "cancelled")
WIDTH = 132
"""Characters of a line where there is no terminal."""
_FAILED = ("error", "timeout", "interrupted")


def title_of(batch: Batch) -> str:
    """A batch in a few characters."""
    return str(batch["name"] or batch["batch_id"])


def total_of(batch: Batch) -> int:
    """How many items it has."""
    return sum(batch["counts"].values())


def failed_of(batch: Batch) -> int:
    """How many of them have not succeeded."""
    return sum(batch["counts"][status] for status in _FAILED)


def print_json(batch: Batch) -> None:
    """A batch as one line of JSON on stdout."""
    click.echo(json.dumps(batch, separators=(",", ":")))


def print_table(batches: Sequence[Batch]) -> None:
    """One row a batch."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in [("batch", "left"), ("name", "left"), ("status", "left"), ("ended", "right")]:
        table.add_column(name, justify=justify, no_wrap=name == "batch")  # type: ignore[arg-type]
    table.add_column("failed", justify="right")
    table.add_column("accepted")
    for batch in batches:
        total, counts = total_of(batch), batch["counts"]
        ended = total - counts["pending"] - counts["running"]
        failed = failed_of(batch)
        table.add_row(
            batch["batch_id"],
            escape(batch["name"] or ""),
            _coloured(batch["status"]),
            f"{ended:,} of {total:,}",
            f"[red]{failed:,}[/]" if failed else "0",
            _time(batch["created_at"]),
        )
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table)


def print_batch(batch: Batch) -> None:
    """All about a batch that is not empty, a line each."""
    durations, tokens = batch["durations"], batch["tokens"]
    lines: list[tuple[str, Any]] = [
        ("batch", batch["batch_id"]),
        ("name", batch["name"]),
        ("status", f"{batch['status']}, {batch['progress']:.0%} of {total_of(batch):,} runs ended"),
        ("runs", format_counts(batch["counts"])),
        ("accepted", _time(batch["created_at"])),
        ("started", _time(batch["started_at"])),
        ("ended", _time(batch["ended_at"])),
        ("ends about", _time(batch["estimated_end"])),
        ("rate", None if batch["rate"] is None else f"{batch['rate']:,.1f} runs/s"),
        ("durations", None if durations["p50"] is None else f"p50 {durations['p50']:g} s, p95 {durations['p95']:g} s"),
        ("tokens", ", ".join(f"{tokens[kind]:,} {kind}" for kind in tokens if tokens[kind])),
        ("metadata", json.dumps(batch["metadata"]) if batch["metadata"] else None),
    ]
    asked = ("webhook", "max_concurrency", "start_within", "finish_within", "result_ttl")
    lines += [(key.replace("_", " "), batch[key]) for key in asked]
    lines.append(("retry", json.dumps(batch["retry"]) if batch["retry"] else None))
    for key, value in lines:
        if value not in (None, ""):
            click.echo(f"{key:<16} {value}")


def _coloured(status: str) -> str:
    return f"[{COLOURS.get(status, 'default')}]{status}[/]"


def _time(text: str | None) -> str | None:
    """A time of the server's by the clock of this machine."""
    return None if text is None else datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
