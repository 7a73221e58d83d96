"""`runyard serve`: one process that serves the API, and the workers that it starts."""

from __future__ import annotations

import os
from pathlib import Path

import click

from runyard.handlers.cli.uvicorn_server import ServeError, listen, run_server
from runyard.runtime.config.environment import SECRETS
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError, RunyardError
from runyard.runtime.telemetry.logs import configure_logs


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
    "--allow-unauthenticated",
    is_flag=True,
    default=None,
    help="Listen on an address that others can reach, though nobody is authenticated.",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="ORIGIN",
    help="Let pages of this origin use the server, beside those of this machine, such as https://app.example.com.",
)
@click.option(
    "--allowed-hosts",
    multiple=True,
    metavar="HOST",
    help="Answer to this name, beside those of this machine, and to no other that is not named.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the database lies.  [default: .runyard]",
)
@click.option(
    "--database",
    metavar="URL",
    help="A Postgres in which everything is kept instead, as postgresql://user@host/name; any number of servers share"
    " it. Give it as RUNYARD_DATABASE if it has a password.",
)
@click.option("--database-schema", metavar="NAME", help="The schema of it that is used.  [default: its search path's]")
@click.option(
    "--role",
    type=click.Choice(["all", "api", "worker"]),
    help="With a Postgres: whether this server has the API, the workers, or both.  [default: all]",
)
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Worker processes; 0 runs everything in one.  [default: one per core, at most 4]",
)
@click.option("--concurrency", type=int, metavar="K", help="Runs at once in each worker.  [default: 256]")
@click.option(
    "--reload",
    is_flag=True,
    default=None,
    help="For development: serve changes of code, langgraph.json and its env file at once.",
)
@click.option("--strict", is_flag=True, default=None, help="Refuse to start when one of the graphs cannot be loaded.")
def serve(
    config: Path,
    host: str | None,
    port: int | None,
    allow_unauthenticated: bool | None,
    allow_origin: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    data: Path | None,
    database: str | None,
    database_schema: str | None,
    role: str | None,
    workers: int | None,
    concurrency: int | None,
    reload: bool | None,
    strict: bool | None,
) -> None:
    """Serve the graphs of a langgraph.json.

    Prints the address when it is ready. SIGINT (Ctrl-C) and SIGTERM stop it gracefully: it takes no more
    runs, gives those that are running some seconds, and hands the rest back to the queue for the next
    start. A second SIGINT stops it at once; then too nothing that was accepted is lost.

    Each option can be given in the environment, as RUNYARD_HOST, RUNYARD_PORT, RUNYARD_ALLOW_UNAUTHENTICATED,
    RUNYARD_ALLOW_ORIGIN and RUNYARD_ALLOWED_HOSTS (with commas), RUNYARD_DATA_DIR, RUNYARD_DATABASE,
    RUNYARD_DATABASE_SCHEMA, RUNYARD_ROLE, RUNYARD_WORKERS, RUNYARD_CONCURRENCY, RUNYARD_RELOAD, RUNYARD_STRICT;
    the guide at /guides/operations lists more settings.
    """
    try:
        configure_logs()  # the project's env may say more, but what is said of the project is logged too
        project = load_project(config)
        configure_logs(project=project.env)
        settings = Settings.from_environment(
            project,
            host=host,
            port=port,
            allow_unauthenticated=allow_unauthenticated,
            allow_origin=allow_origin,
            allowed_hosts=allowed_hosts,
            data_dir=data,
            database=database,
            database_schema=database_schema,
            role=role,
            workers=workers,
            concurrency=concurrency,
            reload=reload,
            strict=strict,
        )
        for secret in SECRETS:  # what this process starts runs code of graphs, which has no use for them
            os.environ.pop(secret, None)
        listener = listen(settings.host, settings.port)
        with listener:
            run_server(settings, listener)
    except ConfigError as error:
        raise BadConfig(error.detail) from None
    except RunyardError as error:
        raise ServeError(error.detail) from None
