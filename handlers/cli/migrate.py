"""`runyard migrate`: the schema of the database, brought up to date before the servers that need it start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from runyard.handlers.cli import server_options
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.telemetry.logs import configure_logs


class MigrationError(click.ClickException):
    """The database cannot be used, or is not up to date."""


@click.command()
@server_options.config
@server_options.data
@server_options.database
@server_options.database_schema
@click.option("--check", is_flag=True, help="Change nothing, and exit with 1 if the database is not up to date.")
def migrate(config: Path, data: Path | None, database: str | None, database_schema: str | None, check: bool) -> None:
    """Bring the database up to date, and say what was done.

    `runyard serve` and `runyard worker` do so at their start, too; this is for those who want it done before, or by a
    user of the database with more rights. Of processes that do it at once one does, and the others wait. Servers of the
    minor version before go on with a database that is up to date.

    Exit codes: 0 it is up to date; 1 it cannot be used or, with --check, is not up to date; 2 what was given is wrong.
    """
    # Imported late: other commands need not wait for the storage.
    from runyard.runtime.services.migration import look
    from runyard.runtime.services.migration import migrate as apply

    try:
        configure_logs()
        settings = Settings.from_environment(
            load_project(config), data_dir=data, database=database, database_schema=database_schema
        )
    except ConfigError as error:
        raise click.UsageError(error.detail) from None
    try:
        found = asyncio.run(look(settings) if check else apply(settings))
    except (ConfigError, Unavailable) as error:
        raise MigrationError(error.detail) from None
    if check and found.applied:
        raise MigrationError(f"{found.place}: lacks {', '.join(found.applied)}; `runyard migrate` applies it")
    if found.applied:
        click.echo(f"{found.place}: applied {', '.join(found.applied)}")
    else:
        click.echo(f"{found.place}: up to date ({found.version})")
