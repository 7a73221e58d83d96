"""The graphs of a project, ready to be run.

A graph may be given as a compiled graph, as a `StateGraph` that is not compiled yet, as a function of the
functional API, or as a factory: a function (plain or async) that gives one of these or a context manager around
it. All but factories are prepared once, for copying a graph costs several per cent of a short run.

A graph that cannot be loaded keeps no other from being served: whoever asks for it learns why.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from copy import copy
from dataclasses import replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from runyard.runtime.auth.inner_requests import SYSTEM, Caller, acting_for
from runyard.runtime.auth.user import User
from runyard.runtime.config.project import GraphSpec, Project, SerdeSection
from runyard.runtime.errors import ConfigError, GraphNotLoaded, NotFound
from runyard.runtime.graphs.factories import Access, Factory, FactoryCall
from runyard.runtime.graphs.loading import load_object, prepare_process
from runyard.runtime.graphs.script_thread import EventLoopOffer
from runyard.runtime.graphs.user_errors import one_line

Graph = Pregel[Any, Any, Any, Any]

UNNAMED = "LangGraph"
"""What LangGraph calls a graph that was compiled without a name."""


class Graphs:
    """The graphs of one project. `load` comes first, once in each process that runs graphs.

    `store` is the server's, for factories that want to see it where graphs are opened without one.
    """

    def __init__(self, project: Project, store: BaseStore | None = None) -> None:
        self._project = project
        self._store = store
        self.not_loaded: dict[str, str] = {}
        """Why which graph could not be loaded, in one line."""
        self._static: dict[str, Graph] = {}
        self._factories: dict[str, Factory] = {}
        self._with_store: dict[str, tuple[BaseStore, Graph]] = {}

    def with_store(self, store: BaseStore) -> Graphs:
        """The same graphs, loaded already, for another event loop: `store` as above."""
        graphs = copy(self)
        graphs._store = store
        return graphs

    @property
    def names(self) -> list[str]:
        """The graphs' names, in the order of the file."""
        return list(self._project.graphs)

    @property
    def serde(self) -> SerdeSection:
        """What states of the graphs may hold."""
        return self._project.serde

    @property
    def own_names(self) -> dict[str, str]:
        """What the graphs call themselves that are the same for every run, where that is a text."""
        return {graph_id: graph.name for graph_id, graph in self._static.items() if isinstance(graph.name, str)}

    def description(self, graph_id: str) -> str | None:
        """What langgraph.json says about the graph. Raises `NotFound`."""
        if graph_id not in self._project.graphs:
            raise self._unknown(graph_id)
        return self._project.graphs[graph_id].description

    def is_factory(self, graph_id: str) -> bool:
        """Whether the graph is built anew for each run, so that its structure may depend on the config."""
        return graph_id in self._factories

    def load(self, *, strict: bool = False) -> None:
        """Imports every graph; for a thread in which no event loop runs, since modules may run one.

        Raises `ConfigError`, one line with file, graph and remedy, when none can be loaded, or, if `strict`,
        when one cannot.
        """
        prepare_process(self._project)
        offer = EventLoopOffer()
        for spec in self._project.graphs.values():
            offer.renew()
            try:
                self._load(spec)
            except ConfigError as error:
                self.not_loaded[spec.graph_id] = error.detail
        if self.not_loaded and (strict or len(self.not_loaded) == len(self._project.graphs)):
            (_, detail), *others = self.not_loaded.items()
            rest = f"; these cannot be loaded either: {', '.join(name for name, _ in others)}" if others else ""
            raise ConfigError(detail + rest)

    def _load(self, spec: GraphSpec) -> None:
        graph_id = spec.graph_id
        place = f'{self._project.path}: graph "{graph_id}" ({spec.path})'
        value = load_object(self._project, spec.path, place)
        if isinstance(value, Pregel | StateGraph):
            self._static[graph_id] = _finish(value, graph_id, place)
        elif callable(value) and not isinstance(value, type):
            self._factories[graph_id] = Factory(value, place)
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
        access: Access = "threads.create_run",
        context: Mapping[str, Any] | None = None,
        exits: AsyncExitStack | None = None,
    ) -> Graph:
        """The graph, named by its id, with `store` attached. Raises `NotFound`, `GraphNotLoaded`, or what a factory
        raises.

        The same object every time for all but factories, which are called with `config`; `access` says what
        for, `context` is that of the run. A context manager that a factory gives is left when `exits` is closed;
        without `exits` it is left at once, which is enough to look at the graph's structure or state.
        """
        graph = self._static.get(graph_id)
        if graph is None:
            call = FactoryCall(config=config, access=access, context=context, store=store)
            if exits is None:
                async with AsyncExitStack() as own:
                    return await self._build(graph_id, call, own)
            return await self._build(graph_id, call, exits)
        if store is None:
            return graph
        known = self._with_store.get(graph_id)
        if known is None or known[0] is not store:
            known = (store, graph.copy({"store": store}))
            self._with_store[graph_id] = known
        return known[1]

    async def _build(self, graph_id: str, call: FactoryCall, exits: AsyncExitStack) -> Graph:
        if graph_id in self.not_loaded:
            raise GraphNotLoaded(self.not_loaded[graph_id])
        if graph_id not in self._factories:
            raise self._unknown(graph_id)
        factory, store = self._factories[graph_id], call.store
        if acting_for.get() is None:  # a graph that is only looked at
            acting_for.set(self._viewer(call.user))
        if store is None and factory.wants_store:
            call = replace(call, store=self._store)
        value = factory(call)
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

    def _viewer(self, user: User | None) -> Caller | None:
        """Who looks at a graph, for what its factory asks the server."""
        if user is not None:
            return Caller(identity=user.identity, user=user.to_json())
        # API keys say nothing of users, and each of them opens everything.
        return SYSTEM if self._project.auth is None else None

    def _unknown(self, graph_id: str) -> NotFound:
        return NotFound(f"Graph '{graph_id}' not found. Expected one of: {self.names}")


def _finish(value: Graph | StateGraph[Any, Any, Any, Any], graph_id: str, place: str) -> Graph:
    if isinstance(value, StateGraph):
        try:
            value = value.compile()
        except Exception as error:
            raise ConfigError(f"{place} does not compile: {one_line(error)}") from error
    # One that was given no name has that of the project (observed at GET /assistants/{assistant_id}/schemas).
    return value.copy({"name": graph_id}) if value.name == UNNAMED else value.copy()
