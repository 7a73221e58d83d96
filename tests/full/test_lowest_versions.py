"""The lower bounds of pyproject.toml, each taken at its word: what they promise serves a batch to its end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.live_server import LiveServer

ROOT = Path(__file__).parents[2]
INSTALL_TIME = 400
"""Seconds that pip may take; half a minute is usual with a near index."""

AGENT = """
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict):
    number: int


def double(state: State) -> State:
    number = interrupt("which number?") if state["number"] < 0 else state["number"]
    return {"number": number * 2}


builder = StateGraph(State)
builder.add_node("double", double)
builder.add_edge(START, "double")
builder.add_edge("double", END)
"""

pytestmark = [pytest.mark.full, pytest.mark.timeout(2 * INSTALL_TIME)]


def lowest(requirement: Requirement) -> str:
    """The lower bound of a dependency as a line of a constraints file: `name==bound`."""
    bounds = [part.version for part in requirement.specifier if part.operator in {">=", "==", "~="}]
    assert len(bounds) == 1, f"pyproject.toml: {requirement} has no lower bound, or more than one"
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{canonicalize_name(requirement.name)}=={bounds[0]}{marker}"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_TIME, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def wheel(pyproject: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runyard's wheel, built from a copy: setuptools would pick up what earlier builds left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", pyproject["project"]["readme"], *pyproject["project"]["license-files"]):
        shutil.copy(ROOT / name, sources / name)
    for name in pyproject["tool"]["setuptools"]["package-dir"].values():
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, sources, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


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
    (tmp_path / "agent.py").write_text(AGENT)
    config = tmp_path / "langgraph.json"
    config.write_text(
        json.dumps(
            {
                "dependencies": ["."],
                "graphs": {"agent": "./agent.py:builder"},
                "env": {"LANGSMITH_TRACING": "false"},
            }
        )
    )
    server = LiveServer(tmp_path / "data", config=config, program=lowest_versions / "runyard")
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
