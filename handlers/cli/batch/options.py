"""Options and arguments that the commands of `runyard batch` share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click
from click.shell_completion import CompletionItem

from runyard.handlers.cli.batch.server import BatchServer
from runyard.handlers.cli.batch.tables import title_of

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_URL = "http://127.0.0.1:8123"
KEY_VARIABLES = ("RUNYARD_API_KEY", "LANGGRAPH_API_KEY", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")
COMPLETION_TIMEOUT = 1.0
"""Seconds that a shell waits for the batches that it offers."""
OFFERED = 50


class BatchId(click.ParamType[str]):
    """The id of a batch; shells complete it with the newest that the server has."""

    name = "batch"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id as the server writes it."""
        try:
            return str(UUID(value))
        except ValueError:
            self.fail(f"{value!r} is no id of a batch; `runyard batch list` shows them", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Nothing where no server answers at once."""
        url = ctx.params.get("url") or os.environ.get("RUNYARD_URL") or DEFAULT_URL
        key = ctx.params.get("api_key") or next(filter(None, map(os.environ.get, KEY_VARIABLES)), None)
        try:
            with BatchServer(url, key, COMPLETION_TIMEOUT) as server:
                batches = server.search(limit=OFFERED)
        except click.ClickException:
            return []
        return [
            CompletionItem(batch["batch_id"], help=f"{title_of(batch)}, {batch['status']}")
            for batch in batches
            if batch["batch_id"].startswith(incomplete)
        ]


def server_options(command: Command) -> Command:
    """--url and --api-key."""
    command = click.option(
        "--api-key",
        metavar="KEY",
        envvar=KEY_VARIABLES,
        show_envvar=True,
        help="What the server asks of its callers. Others of this machine see options: better in the environment.",
    )(command)
    return click.option(
        "--url", default=DEFAULT_URL, envvar="RUNYARD_URL", show_default=True, show_envvar=True, help="The server."
    )(command)


batch_ids = click.argument("batch_ids", metavar="BATCH...", type=BatchId(), nargs=-1, required=True)
as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON for programs, a line each.")
output = click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results to this file. One that has some already is gone on with.",
)
