"""`runyard serve --database` and `runyard worker` as processes, on the Postgres of the tests."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from psycopg import conninfo

from tests.storage.postgres_server import address

from .processes import Start

PASSWORD = "kept-from-everybody"
GRAPHS = """
import asyncio
import os
from pathlib import Path
from typing import TypedDict
from langgraph.graph import START, StateGraph
from langgraph_sdk import get_client


class State(TypedDict, total=False):
    n: int
    told_by: list[str]
    graphs: list[str]


async def work(state):
    told_by = [name for name, value in os.environ.items() if "kept-from" in value]
    return {"n": state["n"] + 1, "told_by": told_by}


async def ask(state):
    return {"graphs": [assistant["graph_id"] for assistant in await get_client().assistants.search()]}


async def hold(state):
    with open("held", "a") as file:
        print("again", file=file)
    while not Path("free").exists():
        await asyncio.sleep(0.02)
    return {"n": 1}


add = StateGraph(State).add_node(work).add_edge(START, "work").compile(name="Adder")
ask = StateGraph(State).add_node(ask).add_edge(START, "ask").compile()
hold = StateGraph(State).add_node(hold).add_edge(START, "hold").compile()
"""


def write_project(directory: Path) -> Path:
    """A project of some graphs; its langgraph.json. The node of `hold` adds a line to the file `held` and waits for the
    file `free`."""
    (directory / "graphs.py").write_text(GRAPHS)
    path = directory / "langgraph.json"
    path.write_text(json.dumps({"graphs": {name: f"./graphs.py:{name}" for name in ("add", "ask", "hold")}}))
    return path


def database() -> str:
    return conninfo.make_conninfo(address(), password=PASSWORD)


def begin(start: Start, schema: str, command: str, *options: str, **variables: str) -> subprocess.Popen[bytes]:
    """Starts a server on a free port, which is not ready yet."""
    variables = {"RUNYARD_DATABASE": database(), "RUNYARD_DATABASE_SCHEMA": schema, "RUNYARD_LOG": "DEBUG", **variables}
    return start(command, "--port", "0", "--workers", "1", *options, **variables)


def ready(process: subprocess.Popen[bytes]) -> str:
    """The address of a server, once it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    if found is None:
        pytest.fail(f"not ready: {line}{process.communicate(timeout=60)}")
    assert "data in Postgres" in line
    return found[0]


def end(process: subprocess.Popen[bytes]) -> str:
    """Stops it; what it has logged."""
    process.terminate()
    stderr = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 0, stderr
    return stderr
