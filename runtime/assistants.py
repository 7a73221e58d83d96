"""Assistants: configured instances of a graph."""

import uuid
from functools import lru_cache

from runyard.generated.models import Assistant, AssistantSearchRequest
from runyard.runtime.errors import Invalid, NotFound
from runyard.runtime.graphs import Graphs
from runyard.runtime.page import Page, page_of
from runyard.runtime.storage.port import Storage

NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The id of a graph's default assistant is the uuid5 of the graph's name in it (observed; clients rely on it)."""


@lru_cache(maxsize=1024)
def default_assistant_id(graph_id: str) -> str:
    """The id of the assistant that every graph has."""
    return str(uuid.uuid5(NAMESPACE, graph_id))


class Assistants:
    """The service behind the operations on assistants."""

    def __init__(self, storage: Storage, graphs: Graphs) -> None:
        self._storage = storage
        self._graphs = graphs

    async def start(self) -> None:
        """Sees to it that every graph has its default assistant."""
        await self._storage.assistants.ensure_system(
            [(default_assistant_id(name), name, self._graphs.description(name)) for name in self._graphs.names]
        )

    async def get(self, assistant_id: str) -> Assistant:
        """By its uuid. Raises NotFound."""
        assistant = await self._storage.assistants.get(assistant_id)
        if assistant is None:
            raise NotFound(f"Assistant with ID {assistant_id} not found")
        return assistant

    async def search(self, request: AssistantSearchRequest) -> Page[Assistant]:
        found = await self._storage.assistants.search(request, limit=request.limit + 1, offset=request.offset)
        return page_of(found, limit=request.limit, offset=request.offset)

    async def resolve(self, name: str) -> Assistant:
        """The assistant that a run names: by uuid, or by the name of a graph.

        Raises Invalid for an unknown name, NotFound for an unknown uuid or one whose graph is not served.
        """
        if name in self._graphs.names:
            return await self.get(default_assistant_id(name))
        try:
            assistant_id = str(uuid.UUID(name))
        except ValueError:
            raise Invalid(
                f"Invalid assistant: {name!r}. Must be either:\n- A valid assistant UUID, or\n"
                f"- One of the registered graphs: {', '.join(self._graphs.names)}"
            ) from None
        assistant = await self._storage.assistants.get(assistant_id)
        if assistant is None:
            raise NotFound("Thread or assistant not found.")
        if assistant.graph_id not in self._graphs.names:
            raise NotFound(
                f"Graph {assistant.graph_id!r} of assistant {assistant_id} is not served. "
                f"Expected one of: {', '.join(self._graphs.names)}"
            )
        return assistant
