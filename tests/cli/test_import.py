"""`runyard import`: a server's data into Postgres, where everything goes on, and back."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate import Gate
from tests.live_server import LiveServer, poll
from tests.storage.moving import contents, make_directory
from tests.storage.postgres_server import address, schema_of
from tests.storage.prepared import clear_schema

from .processes import RUNYARD, Run, environment

RUNS = 40
KILLED = """
import os, signal, sys
from runyard.runtime.services import importing
_, source, target, schema, pages = sys.argv
importing.PAGE_ROWS, told = 1, 0
def progress(table, done, total):
    global told
    told += 1
    if told > int(pages):
        os.kill(os.getpid(), signal.SIGKILL)
importing.import_all(source, target, schema=schema, progress=progress)
"""


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[str]:
    address()  # a server ends with the thread that has started it
    yield schema_of(tmp_path)
    clear_schema(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path / "data", args=("--workers", "1", "--concurrency", "4"))
    yield server
    server.close()


def run_import(folder: Path, *options: str | Path, schema: str) -> subprocess.CompletedProcess[str]:
    """In a folder without a project."""
    return subprocess.run(
        [RUNYARD, "import", *map(str, options)],
        cwd=folder,
        env=environment("", RUNYARD_DATABASE=address(), RUNYARD_DATABASE_SCHEMA=schema),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def events_behind(server: LiveServer, thread_id: str, run_id: str, number: str) -> list[str]:
    """What a client is told that has the events of a run up to that one."""
    path = f"/threads/{thread_id}/runs/{run_id}/stream"
    answer = server.http.get(f"{server.url}{path}", headers={"Last-Event-ID": number})
    return [line for line in answer.text.splitlines() if line.startswith(("id:", "event:", "data:"))]


def counts(server: LiveServer, batch_id: str) -> dict[str, int]:
    found: dict[str, int] = server.get(f"/batches/{batch_id}")["counts"]
    return found


@pytest.mark.full
def test_what_a_killed_server_had_begun_goes_on_in_postgres(tmp_path: Path, server: LiveServer, schema: str) -> None:
    server.start()
    asking = server.post("/threads", {})["thread_id"]
    server.post(f"/threads/{asking}/runs/wait", {"assistant_id": "interrupting", "input": {"text": "t"}})
    told = server.post("/threads", {})["thread_id"]
    run = {"assistant_id": "chain", "input": {}, "stream_mode": ["values"], "stream_resumable": True}
    run_id = server.post(f"/threads/{told}/runs", run)["run_id"]
    server.get(f"/threads/{told}/runs/{run_id}/join")
    everything = events_behind(server, told, run_id, "-1")
    number = next(line for line in everything if line.startswith("id:")).removeprefix("id:").strip()
    behind = events_behind(server, told, run_id, number)
    assert 0 < len(behind) < len(everything)
    gate = Gate(tmp_path / "gate")
    items = [{"assistant_id": "chain", "input": {}}, {"assistant_id": "gated", "input": gate.input()}] * (RUNS // 2)
    batch_id = server.post("/runs/batch", items)[0]["batch_id"]
    poll(lambda: counts(server, batch_id)["running"] > 2)
    server.kill_group()

    moved = run_import(tmp_path, "--from", "data", schema=schema)
    assert moved.returncode == 0, moved.stderr
    assert "go back to the queue" in moved.stdout
    again = run_import(tmp_path, "--from", "data", schema=schema)
    assert again.returncode == 1
    assert "finished already" in again.stderr

    gate.open()
    server.start(env={"RUNYARD_DATABASE": address(), "RUNYARD_DATABASE_SCHEMA": schema})
    assert events_behind(server, told, run_id, number) == behind
    resumed = {"assistant_id": "interrupting", "command": {"resume": "yes"}}
    assert server.post(f"/threads/{asking}/runs/wait", resumed)["answer"] == "yes"
    server.await_idle()
    assert counts(server, batch_id) == {
        "pending": 0,
        "running": 0,
        "success": RUNS,
        "error": 0,
        "timeout": 0,
        "interrupted": 0,
    }
    refused = run_import(tmp_path, "--to", "restored", schema=schema)
    assert refused.returncode == 1
    assert "stop them first" in refused.stderr
    assert server.stop() == 0

    restored = run_import(tmp_path, "--to", "restored", schema=schema)
    assert restored.returncode == 0, restored.stderr
    assert {path.name for path in (tmp_path / "restored").glob("*.db")} == {"runyard.db", "store.db"}


@pytest.mark.full
def test_an_import_that_is_killed_again_and_again_ends_as_if_it_were_not(tmp_path: Path, schema: str) -> None:
    """Each process kills itself somewhere else, and the last one does not."""
    asyncio.run(make_directory(tmp_path / "before"))
    before = contents(tmp_path / "before")
    for source, target in ((tmp_path / "before", address()), (address(), tmp_path / "after")):
        for pages in (25, 28, 31, 10_000):
            arguments = [KILLED, str(source), str(target), schema, str(pages)]
            done = subprocess.run([sys.executable, "-c", *arguments], timeout=240, check=False)
            assert done.returncode == (-signal.SIGKILL if pages < 10_000 else 0)
    assert contents(tmp_path / "after") == before


def test_options_that_name_no_two_ends_are_refused(tmp_path: Path, runyard: Run) -> None:
    for options, said in (
        ((), "RUNYARD_DATABASE"),
        (("--from", "postgresql://nowhere/x"), "--to"),
    ):
        result = runyard("import", *options)
        assert result.returncode == 2
        assert said in result.stderr.decode()
    same = runyard("import", "--from", "a", "--to", "b")
    assert same.returncode == 1
    assert "one of --from and --to" in same.stderr.decode()
