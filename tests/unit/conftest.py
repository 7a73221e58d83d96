"""The graphs of tests/sample_graphs, loaded, and what runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.graphs.registry import Graphs

from .graph_runner import GraphRunner


@pytest.fixture(scope="session")
def graphs() -> Graphs:
    """The graphs of tests/sample_graphs, loaded."""
    loaded = Graphs(load_project(Path(__file__).parent.parent / "sample_graphs"))
    loaded.load()
    return loaded


@pytest.fixture
def graph_runner(graphs: Graphs) -> GraphRunner:
    return GraphRunner(graphs)
