"""Which classes states may hold where the project says so: for runs, and for whoever looks at states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.live_server import LiveServer

GRAPH = """
from dataclasses import dataclass
from typing import Any, TypedDict
from langgraph.graph import START, StateGraph

@dataclass
class Told:
    n: int

@dataclass
class Untold:
    n: int

class State(TypedDict, total=False):
    values: list[Any]
    seen: list[str]

def look(state):
    seen = [type(value).__name__ for value in state.get("values") or ()]
    return {"seen": seen, "values": [Told(1), Untold(2)]}

graph = StateGraph(State).add_node(look).add_edge(START, "look").compile()
"""


@pytest.mark.full
@pytest.mark.parametrize("workers", ["0", "1"])
def test_other_classes_than_the_projects_are_not_made(tmp_path: Path, workers: str) -> None:
    (tmp_path / "typed_states.py").write_text(GRAPH)
    serde = {"allowed_msgpack_modules": [["typed_states", "Told"]]}
    content = {"graphs": {"look": "typed_states:graph"}, "checkpointer": {"serde": serde}}
    (tmp_path / "langgraph.json").write_text(json.dumps(content))
    server = LiveServer(tmp_path / "data", config=tmp_path / "langgraph.json", args=("--workers", workers)).start()
    try:
        thread = server.post("/threads", {})["thread_id"]
        body: Any = {"assistant_id": "look", "input": {}}
        assert server.post(f"/threads/{thread}/runs/wait", body)["seen"] == []
        assert server.post(f"/threads/{thread}/runs/wait", body)["seen"] == ["Told", "dict"]
        assert server.get(f"/threads/{thread}/state")["values"]["values"] == [{"n": 1}, {"n": 2}]
    finally:
        server.close()
    assert "typed_states.Untold, which is not among the classes" in server.log.read_text()
