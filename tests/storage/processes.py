"""Processes that use storage beside a test. They are forked from one that has loaded it: loading takes a second."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from psycopg.conninfo import make_conninfo

from .postgres_server import ADDRESS, await_disconnected

LOADED = ["tests.storage.racer", "tests.storage.batch_strain"]


def start(target: Callable[..., None], *arguments: Any) -> tuple[BaseProcess, Connection]:
    """Runs `target` with the arguments and its end of a connection; returns the process, and the other end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    ours, theirs = context.Pipe()
    # What others are forked from may be older than the test's Postgres.
    process = context.Process(target=_run, args=(os.environ.get(ADDRESS), target, *arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def kill(process: BaseProcess) -> None:
    """As `kill -9`. Returns when a database server has seen to its end, too."""
    assert process.pid is not None
    name = _application(process.pid)
    process.kill()
    process.join()
    if ADDRESS in os.environ:
        await_disconnected(name)


def _application(pid: int) -> str:
    """Under which name the connections of a process are known to a database server."""
    return f"tests-{pid}"


def _run(address: str | None, target: Callable[..., None], *arguments: Any) -> None:
    if address is not None:
        os.environ[ADDRESS] = make_conninfo(address, application_name=_application(os.getpid()))
    target(*arguments)
