"""`runyard serve --database`: everything in a Postgres, whose password nobody learns, by one server or several."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from langgraph_sdk import get_client
from psycopg import conninfo

from tests.storage.postgres_server import address

from .postgres_servers import PASSWORD, begin, end, ready, write_project
from .processes import Run, Start


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


@pytest.fixture
def schema() -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    yield name
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"drop schema if exists {name} cascade")


@pytest.mark.full
def test_a_batch_runs_and_outlives_a_killed_server_and_the_password_stays_secret(
    start: Start, runyard: Run, project: Path, schema: str
) -> None:
    process = begin(start, schema, "serve")
    url = ready(process)
    given = b"".join(b'{"n": %d}\n' % n for n in range(200))
    submitted = runyard("batch", "submit", "-", "--assistant", "add", stdin=given, url=url)
    assert submitted.returncode == 0, submitted.stderr
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    process = begin(start, schema, "serve")
    url = ready(process)
    batch = submitted.stdout.decode().strip()
    result = runyard("batch", "results", batch, "--follow", url=url)
    found = sorted((json.loads(line) for line in result.stdout.splitlines()), key=lambda line: line["index"])
    assert [run["values"] for run in found] == [{"n": n + 1, "told_by": []} for n in range(200)]
    assert (
        PASSWORD
        not in httpx.get(f"{url}/info", timeout=60).text
        + httpx.get(f"{url}/metrics?format=prometheus", timeout=60).text
    )
    assert PASSWORD not in end(process)
    assert not (project.parent / ".runyard" / "runyard.db").exists()


async def test_an_api_accepts_what_a_worker_executes(start: Start, project: Path, schema: str) -> None:
    api, worker = begin(start, schema, "serve", "--role", "api"), begin(start, schema, "worker")
    client, probes = get_client(url=ready(api)), ready(worker)
    names = {assistant["graph_id"]: assistant["name"] for assistant in await client.assistants.search()}
    assert names == {"add": "Adder", "ask": "ask", "hold": "hold"}
    about: Any = await client.http.get("/info")
    assert about["server"] == {"role": "api", "backend": "postgres"}
    given: list[Any] = [{"assistant_id": "add", "input": {"n": n}} for n in range(20)]
    runs = await client.runs.create_batch(given)
    async with asyncio.timeout(60):
        added: list[Any] = await asyncio.gather(*(client.runs.join(run["thread_id"], run["run_id"]) for run in runs))
        # Whose code has no URL is answered by the server that executes it.
        asked: Any = await client.runs.wait(None, "ask", input={})
    assert sorted(asked["graphs"]) == ["add", "ask", "hold"]
    assert [values["n"] for values in added] == list(range(1, 21))
    async with httpx.AsyncClient(base_url=probes, timeout=60) as http:
        assert (await http.get("/ok")).json()["ok"] is True
        assert "runyard_workers 1.0" in (await http.get("/metrics", params={"format": "prometheus"})).text
        assert (await http.post("/threads", json={})).status_code == 404
    for process in (api, worker):
        assert PASSWORD not in end(process)
    assert not [*(project.parent / ".runyard" / "servers").glob("*/*")]


@pytest.mark.full
async def test_what_a_server_hands_back_at_its_stop_another_one_goes_on_with(
    start: Start, project: Path, schema: str
) -> None:
    one = begin(start, schema, "serve", RUNYARD_SHUTDOWN_GRACE="0.2")
    run = await get_client(url=ready(one)).runs.create(None, "hold", input={}, on_completion="keep")
    held = project.parent / "held"
    while not held.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.05)
    other = begin(start, schema, "serve")
    client = get_client(url=ready(other))
    end(one)
    (project.parent / "free").touch()
    async with asyncio.timeout(60):
        values: Any = await client.runs.join(run["thread_id"], run["run_id"])
    assert values["n"] == 1
    assert held.read_text() == "again\n" * 2
    end(other)


@pytest.mark.full
def test_an_api_whose_graphs_cannot_be_loaded_is_refused(start: Start, project: Path, schema: str) -> None:
    (project.parent / "graphs.py").write_text("import missing_package")
    api = begin(start, schema, "serve", "--role", "api")
    stderr = api.communicate(timeout=60)[1].decode()
    assert api.returncode == 2
    assert "missing_package" in stderr.splitlines()[-1]


def test_a_database_that_is_not_there_is_waited_for_and_told_without_its_password(start: Start, project: Path) -> None:
    process = start("serve", "--port", "0", "--database", f"postgresql://me:{PASSWORD}@127.0.0.1:1/name")
    assert process.stderr is not None
    said = process.stderr.readline()
    process.terminate()
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert b"Postgres at 127.0.0.1:1" in said
    assert b"waiting for it" in said
    assert b"it was stopped" in rest
    assert PASSWORD.encode() not in said + rest


def test_a_database_that_refuses_is_an_error_of_the_setting(runyard: Run, project: Path) -> None:
    stranger = conninfo.make_conninfo(address(), user="stranger", password=PASSWORD)
    result = runyard("serve", "--port", "0", "--database", stranger)
    assert result.returncode == 2
    assert b"no such user" in result.stderr
    assert PASSWORD.encode() not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_worker_without_a_database_to_share_is_refused(runyard: Run, project: Path) -> None:
    result = runyard("worker")
    assert result.returncode == 2
    assert b"--database" in result.stderr
