"""Assistants: configured instances of a graph."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from uuid_utils import uuid7

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantCreate,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.config.langgraph_json import Project
from runyard.runtime.errors import BadRequest, Invalid, NotFound
from runyard.runtime.services.inspector import LazyViews
from runyard.runtime.services.paging import Page, page_of
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Hub

T = TypeVar("T")

NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The id of a graph's default assistant is the uuid5 of the graph's name in it (observed; clients rely on it)."""

AT_ONCE = 200
"""Threads that one transaction deletes with their assistant: interactive writes must get in between."""


@lru_cache(maxsize=1024)
def default_assistant_id(graph_id: str) -> str:
    """The id of the assistant that every graph has."""
    return str(uuid.uuid5(NAMESPACE, graph_id))


class Assistants:
    """The service behind the operations on assistants."""

    def __init__(self, storage: Storage, project: Project, views: LazyViews, hub: Hub) -> None:
        self._storage = storage
        self._graphs = project.graphs
        self._hub = hub
        self._views = views

    async def start(self) -> None:
        """Sees to it that every graph has its default assistant."""
        await self._storage.assistants.ensure_system(
            [
                DefaultAssistant(default_assistant_id(name), name, graph.description)
                for name, graph in self._graphs.items()
            ]
        )

    # Looking

    async def get(self, assistant_id: str) -> Assistant:
        """By its uuid. Raises NotFound."""
        assistant = await self._storage.assistants.get(assistant_id)
        if assistant is None:
            raise NotFound("Not Found")
        return assistant

    async def search(self, request: AssistantSearchRequest) -> Page[Assistant]:
        found = await self._storage.assistants.search(request, limit=request.limit + 1, offset=request.offset)
        return page_of(found, limit=request.limit, offset=request.offset)

    async def count(self, request: AssistantCountRequest) -> int:
        return await self._storage.assistants.count(request)

    async def versions(self, assistant_id: str, request: AssistantVersionsSearchRequest) -> list[Assistant]:
        """Newest first; `created_at` and `updated_at` are those of the version."""
        return _found(await self._storage.assistants.versions(assistant_id, request), assistant_id)

    async def resolve(self, name: str) -> Assistant:
        """The assistant that a run names: by uuid, or by the name of a graph.

        Raises Invalid for an unknown name, NotFound for an unknown uuid or one whose graph is not served.
        """
        if name in self._graphs:
            name = default_assistant_id(name)
        try:
            assistant_id = str(uuid.UUID(name))
        except ValueError:
            raise Invalid(
                f"Invalid assistant: {name!r}. Must be either:\n- A valid assistant UUID, or\n"
                f"- One of the registered graphs: {', '.join(self._graphs)}"
            ) from None
        assistant = await self._storage.assistants.get(assistant_id)
        if assistant is None:
            raise NotFound("Thread or assistant not found.")
        if assistant.graph_id not in self._graphs:
            raise NotFound(
                f"Graph {assistant.graph_id!r} of assistant {assistant_id} is not served. "
                f"Expected one of: {', '.join(self._graphs)}"
            )
        return assistant

    # Editing

    async def create(self, request: AssistantCreate) -> Assistant:
        """Raises NotFound for an unknown graph, Conflict for an id that is taken."""
        self._check_graph(request.graph_id)
        config, context = _mirrored(request.config or {}, request.context or {})
        assistant = Assistant(
            assistant_id=request.assistant_id or str(uuid7()),
            graph_id=request.graph_id,
            config=config,
            context=context,
            metadata=request.metadata or {},
            name="Untitled" if request.name is None else request.name,
            description=request.description,
            version=1,
            created_at="",
            updated_at="",
        )
        return await self._storage.assistants.create(assistant, request.if_exists)

    async def patch(self, assistant_id: str, given: Mapping[str, Any]) -> Assistant:
        """Makes a new version: metadata is merged at its top level, the rest that was given replaced."""
        if "graph_id" in given:
            self._check_graph(given["graph_id"])
        _mirrored(given.get("config") or {}, given.get("context") or {})
        changed = await self._storage.assistants.change(assistant_id, lambda assistant: _changed(assistant, given))
        return _found(changed, assistant_id)

    async def set_latest(self, assistant_id: str, version: int) -> Assistant:
        """Goes back (or forward) to a version, with all that belongs to it."""
        return _found(await self._storage.assistants.set_latest(assistant_id, version), assistant_id)

    async def delete(self, assistant_id: str, delete_threads: bool) -> None:
        """Deletes the assistant; `delete_threads`: also the threads whose latest run was one of it. Many threads
        go in several transactions, the assistant in the last."""
        gone = False
        while not gone:
            answer = await self._storage.assistants.delete(assistant_id, threads=AT_ONCE if delete_threads else 0)
            if answer is None:
                raise NotFound(f"Assistant with ID {assistant_id} not found")
            gone, removed = answer
            for run_id in removed.runs:
                self._hub.forget_run(run_id)

    def _check_graph(self, graph_id: str) -> None:
        if graph_id not in self._graphs:
            raise NotFound(f"Graph '{graph_id}' not found. Expected one of: {list(self._graphs)}")

    # The graph behind it

    async def graph(self, assistant_id: str, xray: bool | int) -> dict[str, Any]:
        """Nodes and edges, those of subgraphs too with `xray` (True, or how deep). The assistant's uuid or the
        name of a graph."""
        return await (await self._views.get()).assistants.graph(await self._named(assistant_id), xray)

    async def subgraphs(self, assistant_id: str, namespace: str | None, recurse: bool) -> dict[str, Any]:
        """The schemas of its subgraphs by their namespace; nothing for a namespace that there is not."""
        return await (await self._views.get()).assistants.subgraphs(await self.get(assistant_id), namespace, recurse)

    async def schemas(self, assistant_id: str) -> dict[str, Any]:
        """The JSON schemas of input, output, state, config and context; None for what has none."""
        return await (await self._views.get()).assistants.schemas(await self.get(assistant_id))

    async def _named(self, name: str) -> Assistant:
        if name in self._graphs:
            return await self.get(default_assistant_id(name))
        try:
            return await self.get(str(uuid.UUID(name)))
        except ValueError:
            raise Invalid("Invalid assistant ID: must be a UUID or the name of a graph") from None


def _found(answer: T | None, assistant_id: str) -> T:
    if answer is None:
        raise NotFound(f"Assistant {assistant_id} not found")
    return answer


def _mirrored(config: dict[str, Any], context: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`config.configurable` and `context` are two names of one thing: what is given is copied to the other."""
    configurable = config.get("configurable")
    if configurable and context:
        raise BadRequest(
            "Cannot specify both configurable and context. Use context, which LangGraph has had since 0.6; "
            "it is copied to configurable."
        )
    if configurable:
        return config, configurable
    return ({**config, "configurable": context}, context) if context else (config, context)


def _changed(assistant: Assistant, given: Mapping[str, Any]) -> Assistant:
    config, context = assistant.config, assistant.context
    if "config" in given:
        config = given["config"]
        context = config.get("configurable", context)
    if "context" in given:
        context = given["context"]
        config = {**config, "configurable": context}
    return replace(
        assistant,
        graph_id=given.get("graph_id", assistant.graph_id),
        config=config,
        context=context,
        metadata={**assistant.metadata, **given.get("metadata", {})},
        name=given.get("name", assistant.name),
        description=given.get("description", assistant.description),
    )
