"""Options that several commands have, since they are settings of the server."""

from __future__ import annotations

from pathlib import Path

import click

config = click.option(
    "--config",
    default="langgraph.json",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The project: its graphs, dependencies and environment.",
)
allow_unauthenticated = click.option(
    "--allow-unauthenticated",
    is_flag=True,
    default=None,
    help="Listen on an address that others can reach, though nobody is authenticated.",
)
data = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the database lies; with a Postgres, sockets and temporary files.  [default: .runyard]",
)
database = click.option(
    "--database",
    metavar="URL",
    help="A Postgres in which everything is kept instead, as postgresql://user@host/name; any number of servers share"
    " it. Give it as RUNYARD_DATABASE if it has a password. Without either DATABASE_URI counts, if it names a Postgres;"
    " the word sqlite says that there is none.",
)
database_schema = click.option(
    "--database-schema", metavar="NAME", help="The schema of it that is used.  [default: its search path's]"
)
role = click.option(
    "--role",
    type=click.Choice(["all", "api", "worker"]),
    help="With a Postgres: whether this server has the API, the workers, or both.  [default: all]",
)
workers = click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Worker processes; 0 runs everything in one.  [default: one per core, at most 4]",
)
concurrency = click.option("--concurrency", type=int, metavar="K", help="Runs at once in each worker.  [default: 256]")
strict = click.option(
    "--strict", is_flag=True, default=None, help="Refuse to start when one of the graphs cannot be loaded."
)
