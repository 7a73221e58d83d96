"""All that is learnt of graphs and checkpoints with LangGraph, and the edits that need it; for a process or a thread
whose event loop may be held up by user code.

Every answer is JSON, encoded here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from runyard.generated.mappings import CheckpointConfig
from runyard.generated.models import Assistant, ThreadState, ThreadStateSearch, ThreadStateUpdate, ThreadSuperstep
from runyard.runtime.auth.user import stored_user
from runyard.runtime.checkpoints.thread_graph import ThreadGraph
from runyard.runtime.errors import BadRequest, NotFound, StateChanged
from runyard.runtime.scope import Scope
from runyard.runtime.services.state_fields import select_state_fields
from runyard.runtime.services.store_views import StoreViews
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import IfExists, NewThread, StateReading

if TYPE_CHECKING:
    from runyard.runtime.checkpoints.thread_states import StoredStates
    from runyard.runtime.graphs.registry import Graphs
    from runyard.runtime.graphs.schemas import GraphSchemas


EDITS: Final = 20
"""How often an edit is made while others, at other servers, are quicker."""


class Views:
    """What can be asked for. Each method is one answer of `Viewer.ask`."""

    def __init__(
        self, storage: Storage, graphs: Graphs, states: StoredStates, schemas: GraphSchemas, store: StoreViews
    ) -> None:
        self._storage = storage
        self._graphs = graphs
        self._states = states
        self._schemas = schemas
        self.put_item = store.put_item
        self.search_items = store.search_items
        self.index_items = store.index_items

    # States of threads

    async def state(
        self,
        scope: Scope,
        thread_id: str,
        graph_ids: Sequence[str],
        checkpoint: CheckpointConfig | None,
        subgraphs: bool,
        select: Sequence[str] | None,
    ) -> bytes:
        """The latest state, or that at a checkpoint; one that does not exist has an empty state (observed at
        GET /threads/{thread_id}/state/{checkpoint_id}). `subgraphs` puts the states of subgraphs that are under
        way into their tasks. `graph_ids` are those of `ThreadStorage.graph_ids`, here and below: whoever asks has read
        them to know that there is such a thread. Raises NotFound, and BadRequest for a state that cannot be read."""
        thread = await self._graph_of(scope, thread_id, graph_ids)
        if thread is None:
            state = _empty_state(thread_id, checkpoint)
        else:
            state = await self._states.state(thread, checkpoint, subgraphs=subgraphs)
        if state.created_at is None:
            await self._check(scope, thread_id)
        return orjson.dumps(select_state_fields(state, select))

    async def history(
        self, scope: Scope, thread_id: str, graph_ids: Sequence[str], request: ThreadStateSearch
    ) -> bytes:
        """The states of the thread, or of the subgraph or the checkpoint that is named, newest first. Raises
        NotFound, and BadRequest when one of them cannot be read."""
        thread = await self._graph_of(scope, thread_id, graph_ids)
        states = [] if thread is None else await self._states.history(thread, request)
        if not states:
            await self._check(scope, thread_id)
        return orjson.dumps([select_state_fields(state, request.select) for state in states])

    async def update(self, scope: Scope, thread_id: str, graph_ids: Sequence[str], request: ThreadStateUpdate) -> bytes:
        """Writes a new state through the graph's reducers; answers where it is.

        Raises NotFound for a thread or a checkpoint that there is not, Conflict while runs are under way,
        BadRequest for what the graph does not take.
        """
        thread = await self._graph_of(scope, thread_id, graph_ids)
        if thread is None:
            raise BadRequest(_no_graph(thread_id))
        for left in reversed(range(EDITS)):
            address, edit = await self._states.stage_update(thread, request)
            try:
                await self._storage.threads.edit_state(scope, thread_id, edit)
            except StateChanged:
                if not left:
                    raise
            else:
                break
        checkpoint_id = address.get("checkpoint_id")
        return orjson.dumps({"checkpoint": address, "configurable": address, "checkpoint_id": checkpoint_id})

    async def create_thread(
        self, scope: Scope, new_thread: NewThread, supersteps: Sequence[ThreadSuperstep], if_exists: IfExists
    ) -> bytes:
        """Makes a thread with a first state, all at once; answers whether there was none. Raises Conflict, and
        BadRequest for what the graph does not take."""
        graph_id = new_thread.metadata.get("graph_id")
        if not isinstance(graph_id, str):
            raise BadRequest(_no_graph(new_thread.thread_id))
        edit = await self._states.stage_first_state(
            ThreadGraph(new_thread.thread_id, graph_id, {}, stored_user(scope.user)), supersteps
        )
        await self._storage.threads.create(scope, replace(new_thread, edit=edit), if_exists)
        return b"true"

    async def storage(self, scope: Scope, thread_id: str) -> bytes:
        """How much storage the thread uses. Raises NotFound."""
        usage = await self._storage.threads.usage(scope, thread_id, self._states.channel_sizes)
        if usage is None:
            raise _unknown(thread_id)
        return orjson.dumps(usage)

    async def keep_latest(self, scope: Scope, thread_id: str) -> bytes:
        """Drops the history of a thread, so that only its present is left. False when there is no such thread,
        or when it changes right now."""
        if await self._storage.threads.graph_ids(scope, thread_id) is None:
            return b"false"
        base, kept = await self._states.latest_checkpoints(thread_id)
        return orjson.dumps(await self._storage.threads.keep_latest(scope, thread_id, base, kept))

    async def settle(self, thread_id: str) -> bytes:
        """Has a thread show what its latest run had reached, which ended without its worker. False when it need not any
        more. Raises BadRequest for a state that cannot be read."""
        graph_ids = await self._storage.threads.graph_ids(Scope.everything(), thread_id)
        if graph_ids is None:
            raise _unknown(thread_id)
        thread = await self._graph_of(Scope.everything(), thread_id, graph_ids)
        reading = StateReading() if thread is None else await self._states.reading(thread)
        return orjson.dumps(await self._storage.threads.settle(thread_id, reading))

    async def _check(self, scope: Scope, thread_id: str) -> None:
        """Raises NotFound for a thread that was deleted since somebody asked for its state, which is empty now."""
        if await self._storage.threads.graph_ids(scope, thread_id) is None:
            raise _unknown(thread_id)

    async def _graph_of(self, scope: Scope, thread_id: str, candidates: Sequence[str]) -> ThreadGraph | None:
        """The graph whose state the thread holds; None when no run or client has named one."""
        served = [graph_id for graph_id in candidates if graph_id in self._graphs.names]
        graph_id = next(iter(served or candidates), None)
        if graph_id is None:
            return None
        configurable: Mapping[str, Any] = {}
        if self._graphs.is_factory(graph_id):
            # What the latest run was configured with: the factory makes the same graph from it.
            runs = await self._storage.runs.of_thread(scope, thread_id, limit=1, offset=0, status=None)
            configurable = runs[0].kwargs["config"]["configurable"] if runs else {}
        return ThreadGraph(thread_id, graph_id, configurable, stored_user(scope.user))

    # Graphs of assistants

    async def graphs(self) -> bytes:
        """What graphs call themselves, as far as that is known before they are run (`names`), and those that cannot be
        loaded, with the reason (`not_loaded`)."""
        return orjson.dumps({"names": self._graphs.own_names, "not_loaded": self._graphs.not_loaded})

    async def graph(self, scope: Scope, assistant: Assistant, xray: bool | int) -> bytes:
        """Nodes and edges of its graph, those of subgraphs too with `xray` (True, or how deep)."""
        return orjson.dumps(await self._schemas.graph(assistant, stored_user(scope.user), xray))

    async def subgraphs(self, scope: Scope, assistant: Assistant, namespace: str | None, recurse: bool) -> bytes:
        """The schemas of its subgraphs by their namespace; nothing for a namespace that there is not."""
        return orjson.dumps(await self._schemas.subgraphs(assistant, stored_user(scope.user), namespace, recurse))

    async def schemas(self, scope: Scope, assistant: Assistant) -> bytes:
        """The JSON schemas of input, output, state, config and context; null for what has none."""
        return orjson.dumps(await self._schemas.schemas(assistant, stored_user(scope.user)))


def _unknown(thread_id: str) -> NotFound:
    return NotFound(f"Thread with ID {thread_id} not found")


def _no_graph(thread_id: str) -> str:
    """Why a thread has no state to edit, and the remedy."""
    return (
        f"Thread '{thread_id}' has no assigned graph ID: no run was made on it, and its metadata names no graph. "
        "Make a run first, or set 'graph_id' in the thread's metadata."
    )


def _empty_state(thread_id: str, asked: CheckpointConfig | None) -> ThreadState:
    """The state of a thread on which nothing has run. The id of a checkpoint that was asked for is answered."""
    checkpoint_id = None if asked is None else asked.get("checkpoint_id")
    checkpoint: CheckpointConfig | None = (
        {"checkpoint_id": checkpoint_id, "thread_id": thread_id} if checkpoint_id else None
    )
    return ThreadState(
        values={},
        next=[],
        tasks=[],
        checkpoint=checkpoint,
        metadata=None,
        created_at=None,
        parent_checkpoint=None,
        interrupts=[],
        checkpoint_id=checkpoint_id,
        parent_checkpoint_id=None,
    )
