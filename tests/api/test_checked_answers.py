"""A served project whose answers are held against the document: what is wrong is logged and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live_server import LiveServer, StartServer

GRAPHS = """
from langgraph.func import entrypoint

@entrypoint()
def impostor(x):
    return {"__error__": x}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose graph answers what only the server may say, and says it wrongly."""
    (tmp_path / "graphs.py").write_text(GRAPHS)
    (tmp_path / "langgraph.json").write_text('{"graphs": {"impostor": "./graphs.py:impostor"}}')
    return tmp_path / "langgraph.json"


def wait(server: LiveServer) -> object:
    return server.post("/runs/wait", {"assistant_id": "impostor", "input": "boom"})


def test_a_violation_is_logged_and_counted_and_the_client_gets_its_answer(
    start_server: StartServer, project: Path
) -> None:
    server = start_server(config=project, args=("--workers", "1"))

    assert wait(server) == {"__error__": "boom"}

    (violation,) = server.violations()
    assert "ERROR" in violation
    assert 'POST /runs/wait: answer.__error__: "boom" is not of type "object"' in violation
    assert (
        'runyard_answer_violations_total{operation="POST /runs/wait"} 1.0'
        in server.http.get(f"{server.url}/metrics").text
    )


def test_nothing_is_checked_unless_it_is_asked_for(start_server: StartServer, project: Path) -> None:
    server = start_server(config=project, args=("--workers", "1"), env={"RUNYARD_CHECK_ANSWERS": "0"})

    assert wait(server) == {"__error__": "boom"}

    assert server.violations() == []
