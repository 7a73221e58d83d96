"""From the options of a command to a server that runs until a signal comes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

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


def serve_project(config: Path, **options: Any) -> None:
    """Serves the project; `options` as for `Settings`. Raises BadConfig and ServeError."""
    try:
        configure_logs()  # the project's env may say more, but what is said of the project is logged too
        project = load_project(config)
        configure_logs(project=project.env)
        settings = Settings.from_environment(project, **options)
        for secret in SECRETS:  # what this process starts runs code of graphs, which has no use for them
            os.environ.pop(secret, None)
        if settings.port is None:
            run_server(settings, None)
            return
        with listen(settings.host, settings.port) as listener:
            run_server(settings, listener)
    except ConfigError as error:
        raise BadConfig(error.detail) from None
    except RunyardError as error:
        raise ServeError(error.detail) from None
