"""`runyard serve`: one process that serves the API, and the workers that it starts."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

from runyard.handlers.cli.uvicorn_server import ServeError, listen, run_server
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings, log_level
from runyard.runtime.errors import ConfigError, RunyardError


class BadConfig(click.ClickException):
    """langgraph.json, a graph or a setting is wrong."""

    exit_code = 2


@click.command()
@click.option(
    "--config",
    default="langgraph.json",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The project: its graphs, dependencies and environment.",
)
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one.  [default: 8123]")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the database lies.  [default: .runyard]",
)
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Worker processes; 0 runs everything in one.  [default: one per core, at most 4]",
)
@click.option("--concurrency", type=int, metavar="K", help="Runs at once in each worker.  [default: 256]")
def serve(
    config: Path,
    host: str | None,
    port: int | None,
    data: Path | None,
    workers: int | None,
    concurrency: int | None,
) -> None:
    """Serve the graphs of a langgraph.json.

    Prints the address when it is ready. SIGINT (Ctrl-C) and SIGTERM stop it gracefully: it takes no more
    runs, gives those that are running some seconds, and hands the rest back to the queue for the next
    start. A second SIGINT stops it at once; then too nothing that was accepted is lost.

    Each option can be given in the environment, as RUNYARD_HOST, RUNYARD_PORT, RUNYARD_DATA_DIR,
    RUNYARD_WORKERS, RUNYARD_CONCURRENCY; the guide at /guides/operations lists more settings.
    """
    try:
        # The project may ask for another level; until it has been read, that of the environment holds.
        _configure_logging(os.environ.get("RUNYARD_LOG"))
        settings = Settings.from_environment(
            load_project(config),
            host=host,
            port=port,
            data_dir=data,
            workers=workers,
            concurrency=concurrency,
        )
        logging.getLogger().setLevel(settings.log)
        listener = listen(settings.host, settings.port)
        with listener:
            run_server(settings, listener)
    except ConfigError as error:
        raise BadConfig(error.detail) from None
    except RunyardError as error:
        raise ServeError(error.detail) from None


def _configure_logging(level: str | None) -> None:
    logging.basicConfig(level=log_level(level or "WARNING"), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
