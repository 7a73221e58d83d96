"""Assistants: configured instances of a graph."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from uuid_utils import uuid7

from runyard.generated.mappings import Config
from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantCreate,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.config.assistant_ids import default_assistant_id
from runyard.runtime.config.project import Project
from runyard.runtime.errors import Invalid, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.configuration import check_config, configured
from runyard.runtime.services.paging import Page, page_of
from runyard.runtime.services.viewer import Viewer
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker

T = TypeVar("T")

UNTITLED = "Untitled"
"""The name of an assistant that was given none, or an empty one (observed at POST /assistants)."""

THREADS_PER_TRANSACTION = 200
"""Threads that one transaction deletes with their assistant: interactive writes must get in between."""


class Assistants:
    """The service behind the operations on assistants."""

    def __init__(self, storage: Storage, project: Project, viewer: Viewer, broker: Broker) -> None:
        self._storage = storage
        self._take(project)
        self._broker = broker
        self._viewer = viewer
        self._names: Mapping[str, str] = {}

    async def serve(self, project: Project, names: Mapping[str, str]) -> None:
        """Serves the graphs of a project that has changed, from now on; `names` as in `start`."""
        self._take(project)
        await self.start(names)

    def _take(self, project: Project) -> None:
        self._graphs, self._unserved = project.graphs, project.unserved

    async def start(self, names: Mapping[str, str]) -> None:
        """Sees to it that every graph has its default assistant, named as the graph calls itself (observed at POST
        /assistants/search), or else by its id."""
        self._names = names
        await self._storage.assistants.ensure_system(self._defaults())

    def _defaults(self) -> list[DefaultAssistant]:
        return [
            DefaultAssistant(
                default_assistant_id(graph_id), graph_id, self._names.get(graph_id, graph_id), graph.description
            )
            for graph_id, graph in self._graphs.items()
        ]

    # Looking

    async def get(self, scope: Scope, assistant_id: str) -> Assistant:
        """The assistant with that uuid, in its latest version. Raises NotFound when there is none."""
        assistant = await self._storage.assistants.get(scope, assistant_id)
        if assistant is None:
            raise NotFound("Not Found")
        return assistant

    async def search(self, scope: Scope, request: AssistantSearchRequest) -> Page[Assistant]:
        """One page of the assistants that fit."""
        found = await self._storage.assistants.search(scope, request, limit=request.limit + 1, offset=request.offset)
        return page_of(found, limit=request.limit, offset=request.offset)

    async def count(self, scope: Scope, request: AssistantCountRequest) -> int:
        """How many assistants there are that `search` would find."""
        return await self._storage.assistants.count(scope, request)

    async def versions(
        self, scope: Scope, assistant_id: str, request: AssistantVersionsSearchRequest
    ) -> list[Assistant]:
        """Newest first; `created_at` and `updated_at` are those of the version."""
        return _found(await self._storage.assistants.versions(scope, assistant_id, request), assistant_id)

    async def resolve(self, scope: Scope, name: str, *, seen: bool = False) -> Assistant:
        """The assistant that a run names: by uuid, or by the name of a graph. `seen`: see `AssistantStorage.seen`.

        Raises Invalid for an unknown name, NotFound for an unknown uuid or one whose graph is not served.
        """
        if name in self._graphs:
            name = default_assistant_id(name)
        elif name in self._unserved:
            raise Invalid(self._refusal(name))
        try:
            assistant_id = str(uuid.UUID(name))
        except ValueError:
            raise Invalid(
                f"Invalid assistant: {name!r}. Must be either:\n- A valid assistant UUID, or\n"
                f"- One of the registered graphs: {', '.join(self._graphs)}"
            ) from None
        assistants = self._storage.assistants
        assistant = await (assistants.seen if seen else assistants.get)(scope, assistant_id)
        if assistant is None:
            raise NotFound("Thread or assistant not found.")
        if assistant.graph_id in self._unserved:
            raise Invalid(self._refusal(assistant.graph_id))
        if assistant.graph_id not in self._graphs:
            raise NotFound(
                f"Graph {assistant.graph_id!r} of assistant {assistant_id} is not served. "
                f"Expected one of: {', '.join(self._graphs)}"
            )
        return self._with_defaults(assistant)

    def _refusal(self, graph_id: str) -> str:
        return f"Graph {graph_id!r} is not served: {self._unserved[graph_id]}"

    def _with_defaults(self, assistant: Assistant) -> Assistant:
        """The assistant with what the project's default config for its graph says beyond it."""
        spec = self._graphs.get(assistant.graph_id)
        if spec is None or not spec.config:
            return assistant
        defaults: Mapping[str, Any] = spec.config
        own: Mapping[str, Any] = assistant.config  # with keys that its type does not name
        merged = {
            key: {**defaults.get(key, {}), **own.get(key, {})}
            for key in ("configurable", "metadata")
            if key in defaults or key in own
        }
        config = cast("Config", {**defaults, **own, **merged})
        return replace(assistant, config=config, context={**defaults.get("configurable", {}), **assistant.context})

    # Editing

    async def create(self, scope: Scope, request: AssistantCreate) -> Assistant:
        """A new assistant, as its first version. Raises NotFound for an unknown graph, Invalid for a config that
        would have no effect, Conflict for an id that is taken."""
        self._check_graph(request.graph_id)
        check_config(request.config)
        config, context = _mirrored(request.config or {}, request.context or {})
        assistant = Assistant(
            assistant_id=request.assistant_id or str(uuid7()),
            graph_id=request.graph_id,
            config=config,
            context=context,
            metadata=request.metadata or {},
            name=request.name or UNTITLED,
            description=request.description,
            version=1,
            created_at="",
            updated_at="",
        )
        return await self._storage.assistants.create(scope, assistant, request.if_exists)

    async def patch(self, scope: Scope, assistant_id: str, given: Mapping[str, Any]) -> Assistant:
        """Makes a new version: metadata is merged at its top level, the rest that was given replaced."""
        if "graph_id" in given:
            self._check_graph(given["graph_id"])
        check_config(given.get("config"))
        configured(given.get("config", {}).get("configurable"), given.get("context"))  # refuses both at once
        changed = await self._storage.assistants.change(
            scope, assistant_id, lambda assistant: _changed(assistant, given)
        )
        return _found(changed, assistant_id)

    async def set_latest(self, scope: Scope, assistant_id: str, version: int) -> Assistant:
        """Goes back (or forward) to a version, with all that belongs to it."""
        return _found(await self._storage.assistants.set_latest(scope, assistant_id, version), assistant_id)

    async def delete(self, scope: Scope, assistant_id: str, delete_threads: bool) -> None:
        """Deletes the assistant; `delete_threads`: also the threads whose latest run was one of it. Many threads
        are deleted in several transactions, the assistant in the last. The default assistant of a graph that is
        served is there again at once, as it is at a start: runs name graphs by it."""
        renewed = next((default for default in self._defaults() if default.assistant_id == assistant_id), None)
        threads = THREADS_PER_TRANSACTION if delete_threads else 0
        deleted = False
        while not deleted:
            answer = await self._storage.assistants.delete(scope, assistant_id, threads=threads, renewed=renewed)
            if answer is None:
                raise NotFound(f"Assistant with ID {assistant_id} not found")
            deleted, with_it = answer
            self._broker.threads_deleted(with_it)

    def _check_graph(self, graph_id: str) -> None:
        if graph_id in self._unserved:
            raise NotFound(self._refusal(graph_id))
        if graph_id not in self._graphs:
            raise NotFound(f"Graph '{graph_id}' not found. Expected one of: {list(self._graphs)}")

    # The graph behind it

    async def graph(self, scope: Scope, assistant_id: str, xray: bool | int) -> bytes:
        """Nodes and edges, those of subgraphs too with `xray` (True, or how deep), as JSON. The assistant's uuid or the
        name of a graph."""
        return await self._viewer.ask("graph", scope, await self._named(scope, assistant_id), xray)

    async def subgraphs(self, scope: Scope, assistant_id: str, namespace: str | None, recurse: bool) -> bytes:
        """The schemas of its subgraphs by their namespace, as JSON; nothing for a namespace that there is not."""
        return await self._viewer.ask(
            "subgraphs", scope, self._with_defaults(await self.get(scope, assistant_id)), namespace, recurse
        )

    async def ready_to_look(self) -> None:
        """Returns when what graphs say can be asked for without a wait until they are loaded. Raises Unavailable."""
        await self._viewer.ready()

    async def schemas(self, scope: Scope, assistant_id: str) -> bytes:
        """The JSON schemas of input, output, state, config and context; null for what has none."""
        return await self._viewer.ask("schemas", scope, self._with_defaults(await self.get(scope, assistant_id)))

    async def _named(self, scope: Scope, name: str) -> Assistant:
        if name in self._graphs:
            return self._with_defaults(await self.get(scope, default_assistant_id(name)))
        try:
            return self._with_defaults(await self.get(scope, str(uuid.UUID(name))))
        except ValueError:
            raise Invalid("Invalid assistant ID: must be a UUID or the name of a graph") from None


def _found(answer: T | None, assistant_id: str) -> T:
    if answer is None:
        raise NotFound(f"Assistant {assistant_id} not found")
    return answer


def _mirrored(config: Config, context: dict[str, Any]) -> tuple[Config, dict[str, Any]]:
    """`config.configurable` and `context` are two names of one thing: what is given is copied to the other."""
    own = configured(config.get("configurable"), context)
    return ({**config, "configurable": own}, own) if own else (config, context)


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
        name=given.get("name", assistant.name) or UNTITLED,
        description=given.get("description", assistant.description),
    )
