"""`runyard backup`: a copy of the data directory of a server that may be running."""

from __future__ import annotations

import os
from pathlib import Path

import click

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import OWN_FILE, Settings
from runyard.runtime.errors import ConfigError


class BackupError(click.ClickException):
    """There is nothing to copy, or the copy cannot be made."""


@click.command()
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The data directory.  [default: RUNYARD_DATA_DIR, as the project's env may say, or .runyard]",
)
@click.option(
    "--config",
    default="langgraph.json",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The project, whose env may name the data directory; looked at if it is there.",
)
def backup(target: Path, data: Path | None, config: Path) -> None:
    """Copy threads, runs, checkpoints and the store into DIR, while the server runs.

    The copy is the state of one moment, and is checked. DIR must be empty or not there; it is there at the end, as a
    whole or not at all. To restore, start a server with it: `runyard serve --data DIR`.

    Exit codes: 0 the copy is made; 1 it is not.
    """
    # Imported late: other commands need not wait for the storage.
    from runyard.runtime.services.backup import back_up

    try:
        folder = data or _configured(config)
        if folder is None:
            raise BackupError(
                "everything is kept in a Postgres, whose own tools make copies, such as pg_dump; for a data directory,"
                " name it with --data"
            )
        with click.progressbar(length=1000, label=f"Copying {folder}") as bar:

            def progress(done: int, total: int) -> None:
                bar.update(done * 1000 // max(total, 1) - bar.pos)

            names = back_up(folder, target, progress)
        size = sum((target / name).stat().st_size for name in names)
    except ConfigError as error:
        raise BackupError(error.detail) from None
    click.echo(f"{target}: {' and '.join(names)}, {size / 2**20:.1f} MiB, checked.")


def _configured(config: Path) -> Path | None:
    """The data directory; None where there is a database elsewhere."""
    if config.exists():
        settings = Settings.from_environment(load_project(config))
        return settings.data_dir if settings.database is None else None
    if os.environ.get("RUNYARD_DATABASE", OWN_FILE) != OWN_FILE:
        return None
    return Path(os.environ.get("RUNYARD_DATA_DIR") or ".runyard").expanduser()
