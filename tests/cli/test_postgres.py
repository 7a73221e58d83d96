"""`runyard serve --database`: everything in a Postgres, whose password nobody learns."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import conninfo

from tests.storage.postgres_server import address

from .processes import Run, Start

PASSWORD = "kept-from-everybody"
GRAPHS = """
import os
from typing import Any, TypedDict
from langgraph.graph import START, StateGraph


class State(TypedDict, total=False):
    n: int
    told_by: list[str]


async def work(state):
    return {"n": state["n"] + 1, "told_by": [name for name, value in os.environ.items() if "kept-from" in value]}


graph = StateGraph(State).add_node(work).add_edge(START, "work").compile()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "graphs.py").write_text(GRAPHS)
    path = tmp_path / "langgraph.json"
    path.write_text(json.dumps({"graphs": {"add": "./graphs.py:graph"}}))
    return path


@pytest.fixture
def schema() -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    yield name
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"drop schema if exists {name} cascade")


def database() -> str:
    return conninfo.make_conninfo(address(), password=PASSWORD)


def serve(start: Start, schema: str, *options: str, **variables: str) -> tuple[subprocess.Popen[bytes], str]:
    """A server on a free port, with its address, once it is ready."""
    variables = {"RUNYARD_DATABASE": database(), "RUNYARD_DATABASE_SCHEMA": schema, "RUNYARD_LOG": "DEBUG", **variables}
    process = start("serve", "--port", "0", "--workers", "1", *options, **variables)
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    if found is None:
        pytest.fail(f"not ready: {line}{process.communicate(timeout=10)}")
    assert "Postgres" in line
    return process, found[0]


def end(process: subprocess.Popen[bytes]) -> str:
    """Stops it; what it has logged."""
    process.terminate()
    stderr = process.communicate(timeout=20)[1].decode()
    assert process.returncode == 0, stderr
    return stderr


def test_a_batch_runs_and_outlives_a_killed_server_and_the_password_stays_secret(
    start: Start, runyard: Run, project: Path, schema: str
) -> None:
    process, url = serve(start, schema)
    given = b"".join(b'{"n": %d}\n' % n for n in range(200))
    submitted = runyard("batch", "submit", "-", "--assistant", "add", stdin=given, url=url)
    assert submitted.returncode == 0, submitted.stderr
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    process, url = serve(start, schema)
    batch = submitted.stdout.decode().strip()
    result = runyard("batch", "results", batch, "--follow", url=url)
    found = sorted((json.loads(line) for line in result.stdout.splitlines()), key=lambda line: line["index"])
    assert [run["values"] for run in found] == [{"n": n + 1, "told_by": []} for n in range(200)]
    assert PASSWORD not in httpx.get(f"{url}/info").text + httpx.get(f"{url}/metrics?format=prometheus").text
    assert PASSWORD not in end(process)
    assert not (project.parent / ".runyard" / "runyard.db").exists()


def test_a_database_that_is_not_there_is_waited_for_and_told_without_its_password(start: Start, project: Path) -> None:
    process = start("serve", "--port", "0", "--database", f"postgresql://me:{PASSWORD}@127.0.0.1:1/name")
    assert process.stderr is not None
    said = process.stderr.readline()
    process.terminate()
    rest = process.communicate(timeout=20)[1]
    assert process.returncode == 1
    assert b"Postgres at 127.0.0.1:1" in said
    assert b"waiting for it" in said
    assert b"it was stopped" in rest
    assert PASSWORD.encode() not in said + rest


def test_a_database_that_refuses_is_an_error_of_the_setting(runyard: Run, project: Path) -> None:
    stranger = conninfo.make_conninfo(address(), user="stranger", password=PASSWORD)
    result = runyard("serve", "--port", "0", "--database", stranger)
    assert result.returncode == 2
    assert b"no such user or database" in result.stderr
    assert PASSWORD.encode() not in result.stderr
    assert len(result.stderr.splitlines()) == 1
