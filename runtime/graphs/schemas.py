"""What the graph of an assistant looks like: its drawing, its subgraphs, its schemas."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.pregel.protocol import PregelProtocol
from pydantic import BaseModel, create_model

from runyard.generated.models import Assistant
from runyard.runtime.auth.user import User
from runyard.runtime.errors import BadRequest, Invalid, RunyardError
from runyard.runtime.graphs.configurable import configurable_of
from runyard.runtime.graphs.registry import Graph, Graphs
from runyard.runtime.graphs.user_errors import one_line

Schemas = dict[str, Any]


class Drawing(Protocol):
    """LangChain's picture of a graph."""

    def to_json(self, *, with_schemas: bool = False) -> dict[str, list[dict[str, Any]]]:
        """Its nodes and edges."""


class GraphSchemas:
    """Describes graphs, which factories make for `user`. A schema may need a tenth of a second, so they are made in a
    pool thread, and once for graphs that are always the same."""

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs
        self._schemas: dict[tuple[str, str], Schemas] = {}

    async def graph(self, assistant: Assistant, user: User | None, xray: bool | int) -> dict[str, Any]:
        """Nodes and edges. `xray`: True shows the nodes of subgraphs in their places, a number those so many
        levels deep."""
        if xray is not True and xray is not False and xray < 1:
            raise Invalid("Invalid xray value: it must be true, false or a number of levels, at least 1")
        graph, config = await self._open(assistant, user)
        drawing: Drawing = await graph.aget_graph(config, xray=xray)
        drawn = drawing.to_json()
        return {"nodes": [_node(node) for node in drawn["nodes"]], "edges": drawn["edges"]}

    async def schemas(self, assistant: Assistant, user: User | None) -> Schemas:
        """The JSON schemas of the graph's input, output, state, config and context."""
        graph, _ = await self._open(assistant, user)
        return {"graph_id": assistant.graph_id, **await self._schemas_of(assistant.graph_id, "", graph)}

    async def subgraphs(
        self, assistant: Assistant, user: User | None, namespace: str | None, recurse: bool
    ) -> dict[str, Schemas]:
        """The schemas of subgraphs by namespace; `recurse`: also of those within them."""
        graph, _ = await self._open(assistant, user)
        return {
            name: await self._schemas_of(assistant.graph_id, name, subgraph)
            async for name, subgraph in graph.aget_subgraphs(namespace=namespace, recurse=recurse)
        }

    async def _open(self, assistant: Assistant, user: User | None) -> tuple[Graph, RunnableConfig]:
        given = {**assistant.config.get("configurable", {}), **assistant.context}
        config: RunnableConfig = {"configurable": configurable_of(given, user)}
        try:
            graph = await self._graphs.open(assistant.graph_id, config, store=None, access="assistants.read")
            return graph, config
        except RunyardError:
            raise
        except Exception as error:  # noqa: BLE001 - a factory is user code
            raise BadRequest(
                f"graph {assistant.graph_id!r} cannot be made for this assistant: {one_line(error)}"
            ) from None

    async def _schemas_of(self, graph_id: str, namespace: str, graph: PregelProtocol[Any, Any, Any, Any]) -> Schemas:
        if self._graphs.is_factory(graph_id):
            return await asyncio.to_thread(_schemas, graph)
        known = self._schemas.get((graph_id, namespace))
        if known is None:
            known = self._schemas[graph_id, namespace] = await asyncio.to_thread(_schemas, graph)
        return known


def _node(node: dict[str, Any]) -> dict[str, Any]:
    """Of what a node runs only the name is shown: the rest is the path of a LangChain class."""
    data = node.get("data")
    return {**node, "data": {"name": data["name"]}} if isinstance(data, dict) and "name" in data else node


def _schemas(graph: PregelProtocol[Any, Any, Any, Any]) -> Schemas:
    if not isinstance(graph, Pregel):  # a graph on another server describes itself there
        return dict.fromkeys(("input_schema", "output_schema", "state_schema", "config_schema", "context_schema"))
    context = _or_none(graph.get_context_jsonschema)
    return {
        "input_schema": _or_none(graph.get_input_jsonschema),
        "output_schema": _or_none(graph.get_output_jsonschema),
        "state_schema": _or_none(lambda: _state_model(graph).model_json_schema()),
        "config_schema": context or {},
        "context_schema": context,
    }


def _state_model(graph: Graph) -> type[BaseModel]:
    """All that a snapshot's values may hold, as a model."""
    channels: dict[str, Any] = {name: graph.channels[name] for name in graph.stream_channels_list}
    fields: dict[str, Any] = {name: (channel.UpdateType, None) for name, channel in channels.items()}
    return create_model(graph.get_name("state"), **fields)


def _or_none(make: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """A schema, or None where a type has none: state may hold anything."""
    try:
        return make()
    except Exception:  # noqa: BLE001 - pydantic raises many kinds, and types may have hooks of their own
        return None
