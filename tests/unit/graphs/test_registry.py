"""Graphs are found, prepared once, built by factories, and complained about in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from langgraph.pregel import Pregel
from langgraph.store.memory import InMemoryStore

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.errors import ConfigError, NotFound
from runyard.runtime.graphs.registry import Graphs

GRAPH = """
from typing import TypedDict
from langgraph.graph import START, StateGraph
class S(TypedDict, total=False):
    x: int
graph = StateGraph(S).add_node("n", lambda s: {"x": 1}).add_edge(START, "n")
"""


@pytest.fixture(autouse=True)
def _own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports is forgotten after it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def graphs_of(folder: Path, graphs: dict[str, str], files: dict[str, str], **more: Any) -> Graphs:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "langgraph.json").write_bytes(orjson.dumps({"graphs": graphs, **more}))
    return Graphs(load_project(folder))


async def test_every_kind_of_graph_is_opened_under_its_name(graphs: Graphs) -> None:
    assert graphs.names[0] == "echo"
    for name in graphs.names:
        graph = await graphs.open(name, {"configurable": {}}, store=None)
        assert isinstance(graph, Pregel)
        assert graph.name == name
    assert graphs.description("echo") == "Repeats the last message, word by word."
    assert graphs.description("chain") is None


async def test_graphs_are_prepared_once(graphs: Graphs) -> None:
    store = InMemoryStore()
    bare = await graphs.open("chain", {}, store=None)
    assert bare is await graphs.open("chain", {}, store=None)
    with_store = await graphs.open("chain", {}, store=store)
    assert with_store is await graphs.open("chain", {}, store=store)
    assert with_store.store is store
    assert bare.store is None


async def test_factories_are_called_with_the_config(graphs: Graphs) -> None:
    store = InMemoryStore()
    one = await graphs.open("factory", {"configurable": {"flavour": "mint"}}, store=store)
    other = await graphs.open("factory", {}, store=None)
    assert "serve_mint" in one.nodes
    assert one.store is store
    assert "serve_plain" in other.nodes
    assert "serve_async" in (await graphs.open("async_factory", {}, store=None)).nodes
    assert graphs.is_factory("factory")
    assert not graphs.is_factory("chain")


async def test_a_lent_graph_is_given_back(graphs: Graphs) -> None:
    lent: list[str] = sys.modules["configured"].LENT
    lent.clear()
    async with AsyncExitStack() as exits:
        await graphs.open("lent", {}, store=None, exits=exits)
        assert lent == ["open"]
    assert lent == ["open", "closed"]
    await graphs.open("lent", {}, store=None)
    assert lent[2:] == ["open", "closed"]


async def test_unknown_graphs(graphs: Graphs) -> None:
    with pytest.raises(NotFound, match="Graph 'nope' not found"):
        graphs.description("nope")
    with pytest.raises(NotFound, match="'echo'"):
        await graphs.open("nope", {}, store=None)


def test_modules_and_files_and_folders(tmp_path: Path) -> None:
    graphs = graphs_of(
        tmp_path,
        {
            "a": "./src/yard_agent/graph.py:graph",
            "b": "yard_agent.graph:graph",
            "c": "./odd-name.py:graph",
            "d": "./elsewhere/lone_yard.py:graph",
        },
        {
            "src/yard_agent/__init__.py": "",
            "src/yard_agent/graph.py": "from .nodes import graph",
            "src/yard_agent/nodes.py": GRAPH,
            "odd-name.py": GRAPH,
            "elsewhere/lone_yard.py": "from yard_sibling import graph",
            "elsewhere/yard_sibling.py": GRAPH,
        },
        dependencies=["./src"],
    )
    graphs.load()
    # One module for one file, so that its classes exist once.
    assert graphs._static["a"].nodes["n"].bound is graphs._static["b"].nodes["n"].bound
    assert any(name.startswith("odd_name_") for name in sys.modules)


def test_a_file_named_like_a_module_that_exists(tmp_path: Path) -> None:
    json_before = sys.modules["json"]
    graphs = graphs_of(tmp_path, {"a": "./json.py:graph"}, {"json.py": GRAPH})
    graphs.load()
    assert sys.modules["json"] is json_before


def test_the_environment_is_filled_but_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YARD_SET", "shell")
    monkeypatch.setenv("YARD_NEW", "")
    monkeypatch.delenv("YARD_NEW")
    graphs = graphs_of(
        tmp_path,
        {"g": "./env_yard.py:graph"},
        {"env_yard.py": f"import os\nassert os.environ['YARD_NEW'] == 'file'\n{GRAPH}"},
        env={"YARD_SET": "file", "YARD_NEW": "file"},
    )
    graphs.load()
    assert os.environ["YARD_SET"] == "shell"


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("./gone.py:graph", "", "gone.py does not exist"),
        ("no_such_yard.module:graph", "", "No module named 'no_such_yard'; install"),
        ("./g_yard.py:grahp", GRAPH, "has no 'grahp'; it has graph"),
        ("./g_yard.py:graph", "import no_such_yard\n", "g_yard.py, line 1): ModuleNotFoundError"),
        ("./g_yard.py:graph", "\n\ndef broken(:\n", "g_yard.py, line 3): SyntaxError"),
        ("./g_yard.py:graph", "raise SystemExit(7)", "SystemExit: 7"),
        ("./g_yard.py:graph", "class E(Exception):\n def __str__(self): 1/0\nraise E", "E: (no text"),
        ("./g_yard.py:graph", "x = 1\ndef f():\n  1 / 0\nf()", "line 3): ZeroDivisionError"),
        ("./g_yard.py:graph", "graph = {}", "is of type dict; it must be a compiled graph"),
        ("./g_yard.py:graph", "class graph: pass", "is of type type"),
        ("./g_yard.py:graph", "def graph(a, b): pass", "is a function of (a, b)"),
        ("./g_yard.py:graph", "def graph(*, config): pass", "is a function of (config)"),
        ("./g_yard.py:graph", GRAPH.replace(', "n")', ', "nowhere")'), "does not compile: ValueError"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(tmp_path: Path, path: str, text: str, said: str) -> None:
    graphs = graphs_of(tmp_path, {"mine": path}, {"g_yard.py": text})
    with pytest.raises(ConfigError) as error:
        graphs.load()
    assert said in error.value.detail
    assert 'graph "mine"' in error.value.detail
    assert str(tmp_path / "langgraph.json") in error.value.detail
    assert "\n" not in error.value.detail


async def test_a_factory_that_gives_no_graph(tmp_path: Path) -> None:
    graphs = graphs_of(tmp_path, {"f": "./f_yard.py:f"}, {"f_yard.py": "def f(*args): return 1"})
    graphs.load()
    with pytest.raises(ConfigError, match="is of type int, not a graph"):
        await graphs.open("f", {}, store=None)
