"""What the assistant is called that a graph has without anybody making one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.live_server import StartServer

GRAPHS = """
from typing import TypedDict

from langgraph.graph import START, StateGraph


class State(TypedDict, total=False):
    n: int


def add(state: State) -> State:
    return {"n": 1}


builder = StateGraph(State).add_node("add", add).add_edge(START, "add")
named = builder.compile(name="My Agent")
unnamed = builder.compile()


def made(config):
    return named
"""


@pytest.mark.parametrize("workers", ["1", "0"])
def test_it_has_the_name_that_its_graph_was_compiled_with_or_else_its_id(
    start_server: StartServer, tmp_path: Path, workers: str
) -> None:
    (tmp_path / "graphs.py").write_text(GRAPHS)
    names = ("named", "unnamed", "builder", "made")
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": {name: f"./graphs.py:{name}" for name in names}}))
    server = start_server(config=config, args=("--workers", workers))

    found = {item["graph_id"]: item for item in server.post("/assistants/search", {})}

    assert {graph_id: item["name"] for graph_id, item in found.items()} == {
        "named": "My Agent",
        "unnamed": "unnamed",
        "builder": "builder",
        "made": "made",
    }
    titles = {
        graph_id: server.get(f"/assistants/{item['assistant_id']}/schemas")["state_schema"]["title"]
        for graph_id, item in found.items()
        if graph_id != "made"
    }
    assert titles == {"named": "My AgentState", "unnamed": "unnamed_state", "builder": "builder_state"}
