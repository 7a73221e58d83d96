"""Environments that a test makes, and the project that is served in them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

INSTALL_TIME = 400
"""Seconds that an installer may take; half a minute is usual with a near index."""

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


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_TIME, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def write_project(folder: Path) -> Path:
    """A project with a graph `agent`; its langgraph.json."""
    (folder / "agent.py").write_text(AGENT)
    config = folder / "langgraph.json"
    graphs = {"agent": "./agent.py:builder"}
    config.write_text(json.dumps({"dependencies": ["."], "graphs": graphs, "env": {"LANGSMITH_TRACING": "false"}}))
    return config
