"""`runyard import`: a data directory into Postgres, or back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import DATABASE_URI, Settings, names_postgres
from runyard.runtime.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from runyard.runtime.services.importing import Imported


class ImportFailed(click.ClickException):
    """Not everything was moved."""


@click.command("import")
@click.option(
    "--from",
    "source",
    metavar="DIR|DATABASE",
    help="A data directory, or a Postgres as `runyard serve --database` names it.  [default: what the project uses]",
)
@click.option("--to", "target", metavar="DATABASE|DIR", help="The other one of both; a directory must be new or empty.")
@click.option("--database-schema", metavar="NAME", help="The schema of the database.  [default: its search path's]")
@click.option("--restart", is_flag=True, help="Undo an import that was begun and not finished, and begin anew.")
@click.option("--replace-nul", is_flag=True, help="Replace NUL characters, which Postgres cannot hold, by U+FFFD.")
@click.option(
    "--config",
    default="langgraph.json",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The project, whose env may name both; looked at if it is there.",
)
def import_(
    source: str | None, target: str | None, database_schema: str | None, restart: bool, replace_nul: bool, config: Path
) -> None:
    """Move all that is kept from a data directory into Postgres, or from Postgres into a new data directory.

    Neither may be in use. What is moved from stays as it is. The target must be empty, and nobody can serve from it
    before everything is there. An import that was interrupted goes on where it is when it is given again. At the end
    the rows and bytes of all tables are compared. Runs that had not ended are executed by the next server.

    \b
    RUNYARD_DATABASE=postgresql://user:password@host/name runyard import --from .runyard
    RUNYARD_DATABASE=postgresql://user:password@host/name runyard import --to restored

    Name the database by the variable: others can see the options of a command. What the store finds by meaning is
    indexed anew by the next server.

    Exit codes: 0 everything is there; 1 it is not; 2 the options are wrong.
    """
    # Imported late: other commands need not wait for the storage.
    from runyard.runtime.services.importing import import_all

    named = next((place for place in (source, target) if place is not None and names_postgres(place)), None)
    try:
        places = _places(config, named, database_schema)
        from_, to = _ends(source, target, places)
        with click.progressbar(length=1000, label="Moving", item_show_func=lambda item: item) as bar:

            def progress(table: str, done: int, total: int) -> None:
                bar.update(done * 1000 // max(total, 1) - bar.pos, table)

            imported = import_all(
                from_, to, schema=places.schema, restart=restart, replace_nul=replace_nul, progress=progress
            )
    except ConfigError as error:
        raise ImportFailed(error.detail) from None
    except Unavailable as error:
        raise ImportFailed(f"{error.detail}. Give the same command again: it goes on where it is") from None
    _print(imported)


class _Places(NamedTuple):
    """What is used unless an option names it."""

    data_dir: str
    database: str | None
    schema: str | None


def _places(config: Path, database: str | None, schema: str | None) -> _Places:
    if config.exists():
        settings = Settings.from_environment(load_project(config), database=database, database_schema=schema)
        return _Places(str(settings.data_dir), settings.database, settings.database_schema)
    named = (database, os.environ.get("RUNYARD_DATABASE"), os.environ.get(DATABASE_URI))
    return _Places(
        os.environ.get("RUNYARD_DATA_DIR") or ".runyard",
        next((name for name in named if name and names_postgres(name)), None),
        schema or os.environ.get("RUNYARD_DATABASE_SCHEMA") or None,
    )


def _ends(source: str | None, target: str | None, places: _Places) -> tuple[str, str]:
    if target is None:
        if source is not None and names_postgres(source):
            raise click.UsageError("name a new data directory with --to")
        target = places.database
    if source is None:
        source = places.data_dir if target is None or names_postgres(target) else places.database
    if source is None or target is None:
        raise click.UsageError("there is no database: name it by the variable RUNYARD_DATABASE=postgresql://...")
    return source, target


def _print(imported: Imported) -> None:
    """What was moved, table by table."""
    rows = [
        (each.table, f"{each.source.rows:,}", f"{each.target.rows:,}", f"{each.target.bytes / 2**20:,.1f} MiB")
        for each in imported.tables
        if each.source.rows
    ]
    header = ("table", "rows there", "rows here", "texts, payloads")
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for line in (header, *rows):
        first, *numbers = (
            text.ljust(width) if not at else text.rjust(width)
            for at, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        click.echo("  ".join((first, *numbers)))
    if imported.replaced:
        click.echo(f"NUL characters were replaced in {', '.join(imported.replaced)}.")
    if imported.given_back:
        click.echo(f"{imported.given_back} runs that were running go back to the queue.")
    click.echo(f"{imported.target}: everything of {imported.source} is there.")
