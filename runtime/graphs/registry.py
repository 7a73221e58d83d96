"""The graphs of a project, ready to be run.

A graph may be given as a compiled graph, as a `StateGraph` that is not compiled yet, as a function of the
functional API, or as a factory: a function (plain or async) of no argument or of a config that gives one of
these or a context manager around it. All but factories are prepared once, for copying a graph costs several
per cent of a short run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from runyard.runtime.config.project import Project
from runyard.runtime.errors import ConfigError, NotFound
from runyard.runtime.graphs.loading import load_object, prepare_process
from runyard.runtime.graphs.user_errors import one_line

Graph = Pregel[Any, Any, Any, Any]
Factory = Callable[..., Any]


class Graphs:
    """The graphs of one project. `load` comes first, once in each process that runs graphs."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._static: dict[str, Graph] = {}
        self._factories: dict[str, tuple[Factory, bool]] = {}
        self._with_store: dict[str, tuple[BaseStore, Graph]] = {}

    @property
    def names(self) -> list[str]:
        """The graphs' names, in the order of the file."""
        return list(self._project.graphs)

    def description(self, graph_id: str) -> str | None:
        """What langgraph.json says about the graph. Raises `NotFound`."""
        if graph_id not in self._project.graphs:
            raise self._unknown(graph_id)
        return self._project.graphs[graph_id].description

    def is_factory(self, graph_id: str) -> bool:
        """Whether the graph is built anew for each run, so that its structure may depend on the config."""
        return graph_id in self._factories

    def load(self) -> None:
        """Imports every graph. Raises `ConfigError`: one line with file, graph and remedy."""
        prepare_process(self._project)
        for graph_id, spec in self._project.graphs.items():
            place = f'{self._project.path}: graph "{graph_id}" ({spec.path})'
            value = load_object(self._project, spec)
            if isinstance(value, Pregel | StateGraph):
                self._static[graph_id] = _finish(value, graph_id, place)
            elif callable(value) and not isinstance(value, type):
                self._factories[graph_id] = (value, _takes_config(value, place))
            else:
                raise ConfigError(
                    f"{place} is of type {type(value).__name__}; "
                    "it must be a compiled graph, a StateGraph, an @entrypoint or a function that makes one"
                )

    async def open(
        self,
        graph_id: str,
        config: RunnableConfig,
        *,
        store: BaseStore | None,
        exits: AsyncExitStack | None = None,
    ) -> Graph:
        """The graph, named by its id, with `store` attached. Raises `NotFound`, or what a factory raises.

        The same object every time for all but factories, which are called with `config`. A context
        manager that a factory gives is left when `exits` is closed; without `exits` it is left at once,
        which is enough to look at the graph's structure or state.
        """
        graph = self._static.get(graph_id)
        if graph is None:
            if exits is None:
                async with AsyncExitStack() as own:
                    return await self._build(graph_id, config, store, own)
            return await self._build(graph_id, config, store, exits)
        if store is None:
            return graph
        known = self._with_store.get(graph_id)
        if known is None or known[0] is not store:
            known = (store, graph.copy({"store": store}))
            self._with_store[graph_id] = known
        return known[1]

    async def _build(
        self, graph_id: str, config: RunnableConfig, store: BaseStore | None, exits: AsyncExitStack
    ) -> Graph:
        if graph_id not in self._factories:
            raise self._unknown(graph_id)
        factory, takes_config = self._factories[graph_id]
        value = factory(config) if takes_config else factory()
        if inspect.isawaitable(value):
            value = await value
        if isinstance(value, AbstractAsyncContextManager):
            value = await exits.enter_async_context(value)
        elif isinstance(value, AbstractContextManager):
            value = exits.enter_context(value)
        place = f'graph "{graph_id}": what its factory gave'
        if not isinstance(value, Pregel | StateGraph):
            raise ConfigError(f"{place} is of type {type(value).__name__}, not a graph")
        graph = _finish(value, graph_id, place)
        if store is not None:
            graph.store = store  # the graph is this run's own
        return graph

    def _unknown(self, graph_id: str) -> NotFound:
        return NotFound(f"Graph '{graph_id}' not found. Expected one of: {self.names}")


def _finish(value: Graph | StateGraph[Any, Any, Any, Any], graph_id: str, place: str) -> Graph:
    if isinstance(value, StateGraph):
        try:
            value = value.compile()
        except Exception as error:
            raise ConfigError(f"{place} does not compile: {one_line(error)}") from error
    return value.copy()


def _takes_config(factory: Factory, place: str) -> bool:
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):
        return False
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p for p in parameters if p.default is p.empty and p.kind not in several]
    if len(needed) > 1 or any(p.kind is p.KEYWORD_ONLY for p in needed):
        names = ", ".join(p.name for p in needed)
        raise ConfigError(f"{place} is a function of ({names}); a factory takes nothing or one config")
    return any(p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters)
