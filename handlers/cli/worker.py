"""`runyard worker`: workers without an API, which share a database with servers that have one."""

from __future__ import annotations

from pathlib import Path

import click

from runyard.handlers.cli import server_options
from runyard.handlers.cli.serving import serve_project


@click.command()
@server_options.config
@click.option("--host", help="Address to listen on, where there is a --port.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port for /ok and /metrics, and nothing else.  [default: none]")
@server_options.allow_unauthenticated
@server_options.data
@server_options.database
@server_options.database_schema
@server_options.workers
@server_options.concurrency
@server_options.strict
def worker(
    config: Path,
    host: str | None,
    port: int | None,
    allow_unauthenticated: bool | None,
    data: Path | None,
    database: str | None,
    database_schema: str | None,
    workers: int | None,
    concurrency: int | None,
    strict: bool | None,
) -> None:
    """Execute runs of the graphs of a langgraph.json, which others accept.

    Short for `runyard serve --role worker`: it needs the Postgres of the servers that have the API, and the same
    project. It stops as they do: SIGTERM gives running runs some seconds, and hands the rest back to the queue.
    """
    serve_project(
        config,
        host=host,
        port=port,
        allow_unauthenticated=allow_unauthenticated,
        data_dir=data,
        database=database,
        database_schema=database_schema,
        role="worker",
        workers=workers,
        concurrency=concurrency,
        strict=strict,
    )
