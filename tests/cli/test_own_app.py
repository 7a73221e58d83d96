"""A project's own application that does not start, and one that changes."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live_server import StartServer, poll

from .processes import Start

pytestmark = pytest.mark.full

PROJECT = Path(__file__).parents[1] / "sample_projects" / "failing_app"


def place(text: str) -> str:
    """The place of the line of the application that has this text."""
    lines = (PROJECT / "app.py").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, start=1) if text in line]
    return f"(app.py, line {number})"


@pytest.fixture
def serve_to_end(start: Start, tmp_path: Path) -> Callable[..., tuple[int, list[str]]]:
    """Serves a project that cannot be served: the exit code, and the lines on stderr."""

    def serve(*options: str, config: Path = PROJECT / "langgraph.json", **variables: str) -> tuple[int, list[str]]:
        data = tmp_path / "data"
        arguments: tuple[str | Path, ...] = ("serve", "--config", config, "--port", "0", "--data", data, *options)
        process: subprocess.Popen[bytes] = start(*arguments, **variables)
        said, errors = process.communicate(timeout=60)
        assert said == b""
        return process.returncode, errors.decode().splitlines()

    return serve


@pytest.mark.parametrize("fails", [pytest.param("at once", marks=pytest.mark.full), "in workers"])
def test_a_lifespan_that_fails_ends_the_start_with_one_line(
    serve_to_end: Callable[..., tuple[int, list[str]]], fails: str
) -> None:
    code, lines = serve_to_end("--workers", "1", FAILS=fails)
    assert code == 2
    (line,) = lines
    failed = f"its lifespan failed {place('does not answer')}: ConnectionError: the database does not answer"
    assert f"http.app (./app.py:app): {failed}" in line
    assert "RUNYARD_APP_IN_WORKERS=false" in line


def test_so_it_does_in_one_process(serve_to_end: Callable[..., tuple[int, list[str]]]) -> None:
    code, lines = serve_to_end("--workers", "0", FAILS="at once")
    assert code == 2
    assert lines == [
        f"Error: {PROJECT}/langgraph.json: http.app (./app.py:app): its lifespan failed {place('does not answer')}:"
        " ConnectionError: the database does not answer"
    ]


def test_a_lifespan_that_is_never_ready_ends_the_start_too(
    serve_to_end: Callable[..., tuple[int, list[str]]],
) -> None:
    code, lines = serve_to_end("--workers", "0", FAILS="never ready", RUNYARD_LIFESPAN_TIMEOUT="0.2")
    assert code == 2
    assert "its lifespan is not ready after 0.2 s" in lines[-1]
    assert "RUNYARD_LIFESPAN_TIMEOUT" in lines[-1]


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.full)])
def test_a_signal_ends_a_start_that_waits_for_a_lifespan(start: Start, tmp_path: Path, workers: str) -> None:
    begun = tmp_path / "begun"
    options = ("--config", PROJECT / "langgraph.json", "--port", "0", "--data", tmp_path / "data", "--workers", workers)
    variables = {"FAILS": "never ready", "BEGUN": str(begun), "RUNYARD_LIFESPAN_TIMEOUT": "600"}
    if workers == "1":
        variables["RUNYARD_APP_IN_WORKERS"] = "false"
    process = start("serve", *options, **variables)
    assert poll(begun.exists)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said) == (1, b"")
    assert b"its lifespan was given up: the server is to stop" in errors


def test_an_end_that_fails_is_logged_and_the_server_ends_in_order(start_server: StartServer) -> None:
    config = PROJECT / "langgraph.json"
    server = start_server(config=config, args=("--workers", "0"), env={"FAILS": "at the end"})
    assert server.stop() == 0
    log = server.log.read_text()
    assert f"the end of its lifespan failed {place('gone before')}: ConnectionError: the database was gone" in log


APP = """
from contextlib import asynccontextmanager
from pathlib import Path
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    {first}
    yield
    Path(__file__).with_name("left-{word}").touch()

app = FastAPI(lifespan=lifespan)

@app.get("/word")
async def word():
    return "{word}"
"""


def test_a_changed_application_is_served_at_once(start_server: StartServer, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "agent.py").write_text((PROJECT / "agent.py").read_text())
    (folder / "app.py").write_text(APP.format(first="pass", word="before"))
    config = folder / "langgraph.json"
    config.write_text(json.dumps({"graphs": {"agent": "./agent.py:graph"}, "http": {"app": "./app.py:app"}}))
    server = start_server(config=config, args=("--workers", "1", "--reload"))
    assert server.get("/word") == "before"
    (folder / "app.py").write_text(APP.format(first="raise RuntimeError('not yet')", word="broken"))
    assert poll(lambda: "not yet" in server.log.read_text() and server.get("/word") == "before")
    (folder / "app.py").write_text(APP.format(first="pass", word="after"))
    assert poll(lambda: server.get("/word") == "after")
    assert poll((folder / "left-before").exists)
    assert server.post("/runs/wait", {"assistant_id": "agent", "input": {}}) == {"text": "!"}
    assert "/word" in server.get("/openapi.json")["paths"]
    assert server.stop() == 0
    assert (folder / "left-after").exists()
