"""The lower bounds of pyproject.toml, each taken at its word: what they promise serves a batch to its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.live_server import LiveServer

from .environments import INSTALL_TIME, run, write_project

pytestmark = [pytest.mark.full, pytest.mark.timeout(2 * INSTALL_TIME)]


def lowest(requirement: Requirement) -> str:
    """The lower bound of a dependency as a line of a constraints file: `name==bound`."""
    bounds = [part.version for part in requirement.specifier if part.operator in {">=", "==", "~="}]
    assert len(bounds) == 1, f"pyproject.toml: {requirement} has no lower bound, or more than one"
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{canonicalize_name(requirement.name)}=={bounds[0]}{marker}"


@pytest.fixture(scope="module")
def lowest_versions(wheel: Path, pyproject: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel and the lowest version of each direct dependency."""
    folder = tmp_path_factory.mktemp("lowest")
    constraints = folder / "constraints.txt"
    requirements = [Requirement(line) for line in pyproject["project"]["dependencies"]]
    constraints.write_text("".join(f"{lowest(requirement)}\n" for requirement in requirements))
    environment = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=folder)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--quiet", "--constraint", constraints, wheel, cwd=folder)
    run(*pip, "check", cwd=folder)
    return environment / "bin"


@pytest.fixture
def server(lowest_versions: Path, tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path / "data", config=write_project(tmp_path), program=lowest_versions / "runyard")
    try:
        yield server.start()
    finally:
        server.close()


def test_the_lowest_versions_of_all_dependencies_run_a_batch_to_its_end(server: LiveServer) -> None:
    items = [
        {"assistant_id": "agent", "input": {"number": number}, "on_completion": "keep"} for number in range(-1, 20)
    ]
    asked, *others = server.post("/runs/batch", items)
    values = [server.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join") for run in others]
    assert values == [{"number": number * 2} for number in range(20)]

    question = server.get(f"/threads/{asked['thread_id']}/runs/{asked['run_id']}/join")
    assert question["__interrupt__"][0]["value"] == "which number?"
    answer = {"assistant_id": "agent", "command": {"resume": 21}}
    assert server.post(f"/threads/{asked['thread_id']}/runs/wait", answer) == {"number": 42}


def test_the_lowest_versions_say_what_a_body_violates(server: LiveServer) -> None:
    bodies: tuple[Any, ...] = (None, [], [{}])
    for body in bodies:
        answer = server.http.post(f"{server.url}/runs/batch", json=body)
        assert answer.status_code == 422
        assert answer.json()["detail"]


def test_the_lowest_versions_show_a_question_in_the_stream_and_edit_the_past(server: LiveServer) -> None:
    thread = f"/threads/{server.post('/threads', {})['thread_id']}"
    body = {"assistant_id": "agent", "input": {"number": -1}, "stream_mode": ["values"]}
    assert "__interrupt__" in server.http.post(f"{server.url}{thread}/runs/stream", json=body).text
    server.post(f"{thread}/runs/wait", {"assistant_id": "agent", "command": {"resume": 4}})
    history = server.post(f"{thread}/history", {"limit": 10})
    start = next(state["checkpoint"] for state in history if state["next"] == ["double"])
    changed = server.post(f"{thread}/state", {"values": {"number": 5}, "checkpoint": start})
    answer = {"assistant_id": "agent", "checkpoint": changed["checkpoint"]}
    assert server.post(f"{thread}/runs/wait", answer) == {"number": 10}


def test_what_the_lowest_langgraph_lacks_is_answered_with_the_version_that_has_it(server: LiveServer) -> None:
    assert server.get("/info")["flags"]["strict_resume"] is False
    thread = f"/threads/{server.post('/threads', {})['thread_id']}"
    body = {"assistant_id": "agent", "command": {"resume": 1}, "strict_resume": True}
    answer = server.http.post(f"{server.url}{thread}/runs", json=body)
    assert answer.status_code == 501
    assert "needs langgraph 1.2" in answer.json()["detail"]
