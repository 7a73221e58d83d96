"""Threads: what runs leave behind and later runs build on."""

from langchain_core.runnables import RunnableConfig

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest, ThreadState
from runyard.runtime.checkpoints import RunSaver
from runyard.runtime.errors import NotFound
from runyard.runtime.graphs import Graphs
from runyard.runtime.page import Page, page_of
from runyard.runtime.states import empty_state, thread_state
from runyard.runtime.storage.port import Storage


class Threads:
    """The service behind the operations on threads."""

    def __init__(self, storage: Storage, graphs: Graphs) -> None:
        self._storage = storage
        self._graphs = graphs

    async def get(self, thread_id: str) -> Thread:
        """Raises NotFound."""
        thread = await self._storage.threads.get(thread_id)
        if thread is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        return thread

    async def search(self, request: ThreadSearchRequest) -> Page[Thread]:
        found = await self._storage.threads.search(request, limit=request.limit + 1, offset=request.offset)
        return page_of(found, limit=request.limit, offset=request.offset)

    async def count(self, request: ThreadCountRequest) -> int:
        return await self._storage.threads.count(request)

    async def state(self, thread_id: str, *, subgraphs: bool) -> ThreadState:
        """The latest state; `subgraphs` puts the states of running subgraphs into their tasks."""
        await self.get(thread_id)
        graph_id = await self._storage.threads.graph_id(thread_id)
        if graph_id is None or graph_id not in self._graphs.names:
            return empty_state()
        saver = RunSaver(self._storage.checkpoints)
        config: RunnableConfig = {
            "configurable": {
                **await self._configurable(thread_id),
                "thread_id": thread_id,
                "checkpoint_ns": "",
            }
        }
        graph = await self._graphs.open(graph_id, config, store=None)
        config["configurable"] |= {"__pregel_checkpointer": saver}
        return thread_state(await graph.aget_state(config, subgraphs=subgraphs))

    async def _configurable(self, thread_id: str) -> dict[str, object]:
        """What the thread's latest run was configured with: a factory builds the same graph from it."""
        runs = await self._storage.runs.of_thread(thread_id, limit=1, offset=0, status=None)
        return dict(runs[0].kwargs["config"]["configurable"]) if runs else {}
