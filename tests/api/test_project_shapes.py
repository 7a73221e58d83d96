"""Projects of the shapes that are found in the wild: what their modules do at import, and what fails in them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.live_server import LiveServer, StartServer, poll

PROJECTS = Path(__file__).parents[1] / "sample_projects"
MODES = [pytest.param(("--workers", "1"), id="a worker"), pytest.param(("--workers", "0"), id="one process")]


def project(shape: str) -> Path:
    return PROJECTS / shape / "langgraph.json"


def run(server: LiveServer, graph_id: str) -> Any:
    """What a run of the graph answers, on a thread and without one; both have to agree."""
    request = {"assistant_id": graph_id, "input": {}}
    thread_id = server.post("/threads", {})["thread_id"]
    answer = server.post(f"/threads/{thread_id}/runs/wait", request)
    assert server.post("/runs/wait", request) == answer
    return answer


def look_at(server: LiveServer, graph_id: str) -> int:
    """The status of the answer to a question about the graph itself."""
    (assistant,) = server.post("/assistants/search", {"graph_id": graph_id})
    return server.http.get(f"{server.url}/assistants/{assistant['assistant_id']}/schemas").status_code


@pytest.mark.parametrize("mode", MODES)
def test_modules_that_run_event_loops_while_they_are_imported(start_server: StartServer, mode: tuple[str, ...]) -> None:
    server = start_server(config=project("loops_at_import"), args=mode)
    for graph_id, found in {"running": "tools", "asking_for_one": "prompts", "nested": "nested"}.items():
        assert look_at(server, graph_id) == 200
        assert run(server, graph_id) == {"found": found}
    assert server.stop() == 0


@pytest.mark.parametrize("mode", MODES)
def test_what_a_process_has_one_of_is_left_to_the_project(start_server: StartServer, mode: tuple[str, ...]) -> None:
    server = start_server(config=project("process_defaults"), args=mode)
    answer = run(server, "defaults")
    assert look_at(server, "defaults") == 200
    warnings = answer["found"].pop("warnings")
    assert not [item for item in warnings if "error" in item]
    assert answer["found"] == {
        "start method": None,
        "event loop policy": "asyncio",
        "SIGTERM": True,
        "SIGUSR1": True,
        "directory": str(server.log.parent),
        "argv": ["serve"],
        "recursion limit": 1000,
        "running loop": False,
    }
    assert answer["now"] == {
        "start method": "spawn",
        "root level": 40,
        "directory": True,
        "SIGUSR1": True,
        "warnings": "ignore",
    }
    # And the server is its own master: data where it was, signals as before.
    assert (server.data / "runyard.db").is_file()
    assert server.get("/ok")["ok"] is True
    assert server.stop() == 0


@pytest.mark.parametrize("mode", MODES)
def test_graphs_that_cannot_be_loaded_keep_no_other_from_being_served(
    start_server: StartServer, mode: tuple[str, ...]
) -> None:
    server = start_server(config=project("half_broken"), args=mode)
    assert run(server, "whole") == {"done": True}
    assert look_at(server, "whole") == 200

    missing = run(server, "unimportable")["__error__"]
    assert missing["error"] == "GraphNotLoaded"
    assert "No module named 'not_installed_anywhere'" in missing["message"]
    assert look_at(server, "unimportable") == 503
    assert "'user: str' is none of what a factory may take" in run(server, "demanding")["__error__"]["message"]
    assert look_at(server, "demanding") == 503

    failing = run(server, "failing")["__error__"]
    assert failing == {"error": "RuntimeError", "message": "the model's server does not answer"}
    assert look_at(server, "failing") == 400

    lines = server.log.read_text().splitlines()
    for graph_id in ("unimportable", "demanding"):
        (line,) = [line for line in lines if f'graph "{graph_id}"' in line and "the other graphs are served" in line]
        assert "langgraph.json" in line


def test_a_terminals_interrupt_reaches_no_handler_of_a_project_in_a_worker(start_server: StartServer) -> None:
    server = start_server(config=project("process_defaults"), args=("--workers", "1"))
    (worker,) = server.await_workers(1)
    for process in server.processes():
        if process.pid == worker:
            process.send_signal(signal.SIGINT)
    assert run(server, "defaults")["now"]["directory"]
    assert poll(server.workers) == [worker]
