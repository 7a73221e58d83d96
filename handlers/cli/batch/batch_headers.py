"""What is asked for a batch as a whole: options of `runyard batch submit`, and the headers that say them."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from runyard.handlers.cli.batch.errors import BatchRefused

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--name", help="What to call the batch; the file's name without it."),
    click.option("--metadata", metavar="JSON", help="An object to search the batch by. That of its runs is their own."),
    click.option("--webhook", metavar="URL", help="Where the batch is POSTed to at its end."),
    click.option("--max-concurrency", type=click.IntRange(1), help="How many of its runs may be under way at once."),
    click.option("--tries", type=click.IntRange(1, 100), help="How often a run is tried in all when it fails."),
    click.option(
        "--start-within", type=click.FloatRange(0), metavar="SECONDS", help="Give up what has not begun then."
    ),
    click.option("--finish-within", type=click.FloatRange(0), metavar="SECONDS", help="Stop what has not ended then."),
    click.option("--result-ttl", type=click.FloatRange(0), metavar="SECONDS", help="How long results are kept."),
)


def batch_options(command: Command) -> Command:
    """Adds the options, whose values `batch_headers` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def batch_headers(
    file_name: str | None, *, name: str | None, metadata: str | None, tries: int | None, **asked: Any
) -> dict[str, str]:
    """The headers. Raises `BatchRefused` for metadata that is no object."""
    headers = {f"x-batch-{key.replace('_', '-')}": str(value) for key, value in asked.items() if value is not None}
    name = name if name is not None else file_name
    if name:
        headers["x-batch-name"] = "".join(each if " " <= each <= "~" else "?" for each in name)[:200]
    if metadata is not None:
        try:
            value = json.loads(metadata)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise BatchRefused('--metadata: expected a JSON object, such as {"job": 7}')
        headers["x-batch-metadata"] = json.dumps(value)
    if tries is not None:
        headers["x-batch-retry"] = json.dumps({"tries": tries})
    return headers
