"""Graph projects that a test writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.graphs.registry import Graphs

GRAPH_SOURCE = """
from typing import TypedDict
from langgraph.graph import START, StateGraph
class S(TypedDict, total=False):
    x: int
graph = StateGraph(S).add_node("n", lambda s: {"x": 1}).add_edge(START, "n")
"""
"""A module with a graph named `graph`."""


def written_graphs(folder: Path, graphs: dict[str, str], files: dict[str, str], **more: Any) -> Graphs:
    """The graphs of a project with these files, not loaded; `more`: other keys of its langgraph.json."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "langgraph.json").write_bytes(orjson.dumps({"graphs": graphs, **more}))
    return Graphs(load_project(folder))
