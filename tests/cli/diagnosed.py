"""A project that `runyard doctor` looks at, and what it finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .processes import Run

GRAPHS = """
from typing import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    n: int

def work(state):
    return {"n": 1}

builder = StateGraph(State).add_node(work).add_edge(START, "work")
graph = builder.compile()

def factory(config):
    raise RuntimeError("needs a run")
"""


def write_project(folder: Path) -> Path:
    (folder / "graphs.py").write_text(GRAPHS)
    configure(folder)
    return folder


def configure(folder: Path, **config: Any) -> None:
    content = {"graphs": {"add": "./graphs.py:graph"}, **config}
    (folder / "langgraph.json").write_text(json.dumps(content))


def diagnose(runyard: Run, *arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and findings."""
    result = runyard("doctor", "--json", "--port", "0", *arguments)
    assert result.stderr == b""
    report = json.loads(result.stdout)
    assert {"ok": 0, "note": 0, "problem": 1, "unusable": 2}[report["worst"]] == result.returncode
    return result.returncode, report["findings"]


def of(findings: list[dict[str, Any]], check: str) -> dict[str, Any]:
    """The one finding of a check."""
    (found,) = [finding for finding in findings if finding["check"] == check]
    return found
