"""`runyard serve`: one process that serves the API, and the workers that it starts."""

from __future__ import annotations

from pathlib import Path

import click

from runyard.handlers.cli import server_options
from runyard.handlers.cli.serving import serve_project


@click.command()
@server_options.config
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one.  [default: 8123]")
@server_options.allow_unauthenticated
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
@server_options.data
@server_options.database
@server_options.database_schema
@server_options.role
@server_options.workers
@server_options.concurrency
@click.option(
    "--reload",
    is_flag=True,
    default=None,
    help="For development: serve changes of code, langgraph.json and its env file at once.",
)
@server_options.strict
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
    serve_project(
        config,
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
