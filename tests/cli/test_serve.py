"""`runyard serve` as a process: when it is ready, how it stops, and what it says when it cannot start."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest

from .processes import Run, Start

GRAPHS = """
import asyncio, time
from typing import TypedDict
from langgraph.graph import START, StateGraph


class State(TypedDict, total=False):
    n: int
    sleep: float


async def work(state):
    await asyncio.sleep(state.get("sleep", 0))
    if state["n"] < 0:
        raise ValueError("negative")
    return {"n": state["n"] + 1}


graph = StateGraph(State).add_node(work).add_edge(START, "work").compile()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "graphs.py").write_text(GRAPHS)
    return write_config(tmp_path, {"graphs": {"add": "./graphs.py:graph"}})


def write_config(directory: Path, config: object) -> Path:
    path = directory / "langgraph.json"
    path.write_text(json.dumps(config))
    return path


def serve(start: Start, grace: str = "", log: str = "") -> tuple[subprocess.Popen[bytes], str]:
    """A server on a free port, with its address, once it is ready."""
    process = start("serve", "--port", "0", "--workers", "1", RUNYARD_SHUTDOWN_GRACE=grace, RUNYARD_LOG=log)
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    address = re.search(r"http://127\.0\.0\.1:\d+", line)
    if address is None:
        pytest.fail(f"not ready: {line}{process.communicate(timeout=60)}")
    return process, address[0]


def one_line(result: subprocess.CompletedProcess[bytes]) -> str:
    text = result.stderr.decode()
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) == 1, text
    assert result.stdout == b""
    return text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_leaves_nothing_behind(
    start: Start, project: Path, number: signal.Signals
) -> None:
    process, url = serve(start)
    assert httpx.get(f"{url}/ok", timeout=60).json()["ok"] is True
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stdout == b""  # the address was the only line
    assert stderr == b""
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    assert (project.parent / ".runyard").is_dir()


def test_runs_end_to_end_through_the_command_line(start: Start, runyard: Run, project: Path) -> None:
    _, url = serve(start)
    given = b"".join(b'{"n": %d}\n' % n for n in [*range(50), -1])
    submitted = runyard("batch", "submit", "-", "--assistant", "add", stdin=given, url=url)
    assert submitted.returncode == 0
    batch = submitted.stdout.decode().strip()
    result = runyard("batch", "results", batch, "--follow", url=url)
    found = sorted((json.loads(line) for line in result.stdout.splitlines()), key=lambda line: line["index"])
    assert result.returncode == 1
    assert [run["status"] for run in found] == ["success"] * 50 + ["error"]
    assert [run["values"]["n"] for run in found[:50]] == list(range(1, 51))
    assert found[50]["error"] == {"error": "ValueError", "message": "negative"}


def test_the_server_names_the_line_that_it_refuses(start: Start, runyard: Run, project: Path) -> None:
    _, url = serve(start)
    # Valid by the schema, but contradicting itself: only the server says so.
    bad = {"assistant_id": "add", "context": {"a": 1}, "config": {"configurable": {"b": 2}}}
    given = b'{"n": 1}\n\n' + json.dumps(bad).encode()
    result = runyard("batch", "submit", "-", "--assistant", "add", stdin=given, url=url)
    assert result.returncode == 2
    assert b"line 3:" in result.stderr
    assert httpx.post(f"{url}/threads/search", json={}, timeout=60).json() == []


def begin_long_run(url: str) -> str:
    """Starts a run of a minute; the path of its resource."""
    payload = {"assistant_id": "add", "input": {"n": 1, "sleep": 60}, "on_completion": "keep"}
    run = httpx.post(f"{url}/runs", json=payload, timeout=60).json()
    path = f"/threads/{run['thread_id']}/runs/{run['run_id']}"
    wait_for_status(url + path, "running")
    return path


@pytest.mark.full
def test_a_stop_hands_running_runs_back_for_the_next_start(start: Start, project: Path) -> None:
    process, url = serve(start, grace="1")
    path = begin_long_run(url)
    with httpx.stream("GET", f"{url}{path}/stream", timeout=30) as stream:
        process.terminate()
        # An orderly end would mean that the run has ended.
        with pytest.raises(httpx.RemoteProtocolError):
            stream.read()
    assert b"Traceback" not in process.communicate(timeout=60)[1]
    assert process.returncode == 0
    (project.parent / "graphs.py").write_text(GRAPHS.replace('state.get("sleep", 0)', "0"))
    _, url = serve(start)
    assert httpx.get(f"{url}{path}/join", timeout=60).json()["n"] == 2


@pytest.mark.full
def test_a_second_interrupt_stops_at_once_and_loses_nothing(start: Start, project: Path) -> None:
    process, url = serve(start, grace="600")
    path = begin_long_run(url)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    await_refusal(url)
    assert process.poll() is None  # the run has its grace period
    process.send_signal(signal.SIGINT)
    assert b"Traceback" not in process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert not psutil.wait_procs(family, timeout=60)[1]
    (project.parent / "graphs.py").write_text(GRAPHS.replace('state.get("sleep", 0)', "0"))
    _, url = serve(start)
    assert httpx.get(f"{url}{path}/join", timeout=60).json()["n"] == 2


def await_refusal(url: str) -> None:
    """Returns when the server takes no more connections."""
    deadline = time.monotonic() + 60
    with contextlib.suppress(httpx.TransportError):
        while httpx.get(f"{url}/ok", timeout=60):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def wait_for_status(url: str, status: str) -> None:
    deadline = time.monotonic() + 60
    while httpx.get(url, timeout=60).json()["status"] != status:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_port_that_is_taken(runyard: Run, project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = runyard("serve", "--port", port)
    assert result.returncode == 1
    assert f"port {port}" in one_line(result)
    assert "--port" in one_line(result)


def test_a_host_that_is_not_here(runyard: Run, project: Path) -> None:
    result = runyard("serve", "--port", "0", "--host", "192.0.2.1", "--allow-unauthenticated")
    assert result.returncode == 1
    assert "192.0.2.1" in one_line(result)


def test_an_address_for_others_is_not_opened_by_the_way(runyard: Run, project: Path) -> None:
    result = runyard("serve", "--port", "0", "--host", "0.0.0.0")
    assert result.returncode == 2
    assert "--allow-unauthenticated" in one_line(result)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "no such file"),
        ("{", "langgraph.json"),
        ([], "langgraph.json"),
        ({}, "graphs"),
        ({"graphs": {"add": "./graphs.py"}}, "add"),
        pytest.param({"graphs": {"add": "./nowhere.py:graph"}}, "nowhere.py", marks=pytest.mark.full),
        ({"graphs": {"add": "./graphs.py:nothing"}}, "nothing"),
        pytest.param({"graphs": {"add": "./graphs.py:GRAPHS"}}, "GRAPHS", marks=pytest.mark.full),
        ({"graphs": {"add": "./broken.py:graph"}}, "broken.py"),
        pytest.param({"graphs": {"add": "./missing.py:graph"}}, "not_installed_anywhere", marks=pytest.mark.full),
        ({"graphs": {"add": "./graphs.py:graph"}, "auth": {"path": "./auth.py:auth"}}, "auth"),
        ({"graphs": {"add": "./agent.ts:graph"}}, "JavaScript"),
        (
            {"graphs": {"add": "./graphs.py:graph"}, "webhooks": {"headers": {"A": "${{ env.LG_WEBHOOK_A }}"}}},
            "the variable LG_WEBHOOK_A is not set",
        ),
        (
            {"graphs": {"add": "./graphs.py:graph"}, "env": {"LANGGRAPH_CONFIG": "{"}},
            "LANGGRAPH_CONFIG: not valid JSON",
        ),
    ],
)
def test_a_broken_project_is_one_line(runyard: Run, tmp_path: Path, config: object, said: str) -> None:
    (tmp_path / "graphs.py").write_text(GRAPHS + "\nGRAPHS = 'no graph'\n")
    (tmp_path / "broken.py").write_text("graph = (")
    (tmp_path / "missing.py").write_text("import not_installed_anywhere")
    if isinstance(config, str):
        (tmp_path / "langgraph.json").write_text(config)
    elif config is not None:
        write_config(tmp_path, config)
    result = runyard("serve", "--port", "0")
    assert result.returncode == 2
    assert said in one_line(result)


def test_an_env_file_that_is_not_there_keeps_nothing_from_starting(start: Start, project: Path) -> None:
    write_config(project.parent, {"graphs": {"add": "./graphs.py:graph"}, "env": ".env"})
    process, url = serve(start)
    assert httpx.get(f"{url}/ok", timeout=60).json()["ok"] is True
    process.terminate()
    assert b".env does not exist" in process.communicate(timeout=60)[1]


@pytest.mark.full
def test_the_project_says_what_is_logged_where_the_environment_does_not(start: Start, project: Path) -> None:
    (project.parent / "warning.py").write_text(
        "import logging\n\nfrom graphs import graph\n\nlogging.getLogger(__name__).warning('imported by a worker')\n"
    )
    write_config(project.parent, {"graphs": {"add": "./warning.py:graph"}, "env": {"RUNYARD_LOG": "ERROR"}})
    for environment, logged in (("", False), ("WARNING", True)):
        process, url = serve(start, log=environment)
        assert httpx.get(f"{url}/ok", timeout=60).json()["ok"] is True
        process.terminate()
        assert (b"imported by a worker" in process.communicate(timeout=60)[1]) == logged


@pytest.mark.full
@pytest.mark.parametrize("workers", ["0", "1"])
def test_one_broken_graph_stops_a_strict_start_only(start: Start, runyard: Run, project: Path, workers: str) -> None:
    write_config(project.parent, {"graphs": {"add": "./graphs.py:graph", "broken": "./broken.py:graph"}})
    (project.parent / "broken.py").write_text("graph = (")
    strict = runyard("serve", "--port", "0", "--workers", workers, "--strict")
    assert strict.returncode == 2
    assert 'graph "broken"' in one_line(strict)

    process = start("serve", "--port", "0", "--workers", workers)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"Runyard serves add at http://")
    process.terminate()
    said = process.communicate(timeout=60)[1].decode()
    assert len(said.splitlines()) == 1
    assert 'graph "broken"' in said


def test_settings_out_of_range_name_their_place(runyard: Run, project: Path) -> None:
    result = runyard("serve", "--port", "70000")
    assert result.returncode == 2
    assert "--port" in one_line(result)
    result = runyard("serve", "--workers", "-1")
    assert result.returncode == 2
    assert "--workers" in one_line(result)


def test_a_data_directory_that_cannot_be(runyard: Run, project: Path) -> None:
    (project.parent / "file").write_text("")
    result = runyard("serve", "--port", "0", "--data", "file/data")
    assert result.returncode in (1, 2)
    assert "file/data" in one_line(result)
