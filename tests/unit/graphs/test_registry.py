"""Graphs are prepared once, or built by factories."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from langgraph.pregel import Pregel
from langgraph.store.memory import InMemoryStore

from runyard.runtime.errors import ConfigError, NotFound
from runyard.runtime.graphs.registry import Graphs

from .written_graphs import GRAPH_SOURCE, written_graphs


async def test_every_kind_of_graph_is_opened(graphs: Graphs) -> None:
    assert graphs.names[0] == "echo"
    for name in graphs.names:
        graph = await graphs.open(name, {"configurable": {}}, store=None)
        assert isinstance(graph, Pregel)
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


async def test_an_unknown_graph_is_not_found(graphs: Graphs) -> None:
    with pytest.raises(NotFound, match="Graph 'nope' not found"):
        graphs.description("nope")
    with pytest.raises(NotFound, match="'echo'"):
        await graphs.open("nope", {}, store=None)


async def test_a_factory_that_gives_no_graph_is_refused(tmp_path: Path) -> None:
    graphs = written_graphs(tmp_path, {"f": "./my_factory.py:f"}, {"my_factory.py": "def f(*args): return 1"})
    graphs.load()
    with pytest.raises(ConfigError, match="is of type int, not a graph"):
        await graphs.open("f", {}, store=None)


def test_a_name_that_is_no_text_is_none_of_a_graph(tmp_path: Path) -> None:
    named = GRAPH_SOURCE + "graph = graph.compile()\ngraph.name = 7\n"
    graphs = written_graphs(
        tmp_path,
        {"named": "./named.py:graph", "plain": "./plain.py:graph"},
        {"named.py": named, "plain.py": GRAPH_SOURCE},
    )
    graphs.load()
    assert graphs.own_names.keys() == {"plain"}
