"""`runyard doctor`: what `runyard serve` would meet, without serving."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runyard.handlers.cli import server_options
from runyard.handlers.cli.uvicorn_server import ServeError, listen

if TYPE_CHECKING:
    from runyard.runtime.services.findings import Diagnosis

EXIT_CODES = {"ok": 0, "note": 0, "problem": 1, "unusable": 2}
_COLOURS = {"ok": "green", "note": "yellow", "problem": "red", "unusable": "red"}


@click.command()
@click.argument("config", default="langgraph.json", type=click.Path(path_type=Path))
@click.option("--host", help="Address that would be listened on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port that would be listened on.  [default: 8123]")
@click.option(
    "--allow-unauthenticated",
    is_flag=True,
    default=None,
    help="As of `runyard serve`: for addresses that others can reach.",
)
@server_options.data
@server_options.database
@server_options.database_schema
@server_options.role
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Time that each graph gets to be loaded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.pass_context
def doctor(
    context: click.Context,
    config: Path,
    host: str | None,
    port: int | None,
    allow_unauthenticated: bool | None,
    data: Path | None,
    database: str | None,
    database_schema: str | None,
    role: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Say what would start, what is ignored and what is missing, with the remedy.

    CONFIG is the project's langgraph.json. Every graph is loaded in a process of its own; nothing is served,
    and data directory and database are only looked at. Options and RUNYARD_* variables are those of `runyard serve`.

    Exit codes: 0 it would start with all that the project names (notes do not count); 1 there are problems;
    2 the configuration cannot be used.
    """
    # Imported late: other commands need not wait for the storage.
    from runyard.runtime.services.diagnosis import diagnose

    found = asyncio.run(
        diagnose(
            config,
            timeout=timeout,
            host=host,
            port=port,
            allow_unauthenticated=allow_unauthenticated,
            data_dir=data,
            database=database,
            database_schema=database_schema,
            role=role,
        )
    )
    _look_at_port(found)
    if as_json:
        findings = [dataclasses.asdict(finding) for finding in found.findings]
        click.echo(json.dumps({"worst": found.worst, "findings": findings}, indent=2, ensure_ascii=False))
    else:
        _print(found)
    context.exit(EXIT_CODES[found.worst])


def _look_at_port(found: Diagnosis) -> None:
    if found.settings is None:
        return
    host, port = found.settings.host, found.settings.port
    if port is None:
        return
    try:
        listen(host, port).close()
    except ServeError as error:
        found.add("port", "problem", error.message)
    else:
        found.add("port", "ok", f"{host} port {port} is free" if port else f"{host} has free ports")


def _print(found: Diagnosis) -> None:
    for finding in found.findings:
        level = click.style(f"{finding.level:<8}", fg=_COLOURS[finding.level])
        click.echo(f"{level} {finding.check}: {finding.message}")
        if finding.remedy:
            click.echo(f"{'':8} -> {finding.remedy}")
    count = sum(finding.level == "problem" for finding in found.findings)
    endings = {
        "problem": f"{count} {'problem' if count == 1 else 'problems'}",
        "unusable": "The configuration cannot be used",
    }
    click.echo(f"{endings.get(found.worst, 'It would start')}.")
