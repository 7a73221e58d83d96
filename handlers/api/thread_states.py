"""Operations on the states of threads."""

from __future__ import annotations

from typing import Any, Protocol

from runyard.generated.mappings import CheckpointConfig, ThreadStateBound
from runyard.generated.models import ThreadState, ThreadStateCheckpointRequest, ThreadStateSearch, ThreadStateUpdate
from runyard.handlers.api.selection import select_state_fields
from runyard.handlers.http.responses import Response, json_response
from runyard.runtime.config.ids import usual_id


class ThreadStateService(Protocol):
    """What the operations need of the service."""

    async def state(
        self, thread_id: str, checkpoint: CheckpointConfig | None = None, *, subgraphs: bool = False
    ) -> ThreadState:
        """The latest state, or that at a checkpoint; one that does not exist has an empty state. `subgraphs` adds
        the states of interrupted subgraphs to their tasks. Raises NotFound, Unavailable when the graph cannot be
        loaded."""

    async def history(self, thread_id: str, request: ThreadStateSearch) -> list[ThreadState]:
        """The states of the thread, newest first. Raises NotFound, Unavailable."""

    async def update(self, thread_id: str, request: ThreadStateUpdate) -> dict[str, Any]:
        """Writes a new state; returns its checkpoint. Raises NotFound for an unknown thread or checkpoint, Conflict
        while runs are pending or running, BadRequest for what the graph does not accept, Unavailable."""


class ThreadStateHandlers:
    """The operations with the tag Threads that concern states."""

    def __init__(self, states: ThreadStateService) -> None:
        self.states = states

    async def get(self, thread_id: str, subgraphs: bool | None, select: list[str] | None) -> Response:
        """GET /threads/{thread_id}/state"""
        return await self._respond(thread_id, None, subgraphs, select)

    async def get_at(
        self, thread_id: str, checkpoint_id: str, subgraphs: bool | None, select: list[str] | None
    ) -> Response:
        """GET /threads/{thread_id}/state/{checkpoint_id}"""
        return await self._respond(thread_id, {"checkpoint_id": checkpoint_id}, subgraphs, select)

    async def post_at(self, thread_id: str, body: ThreadStateCheckpointRequest) -> Response:
        """POST /threads/{thread_id}/state/checkpoint"""
        return await self._respond(thread_id, body.checkpoint, body.subgraphs, body.select)

    async def _respond(
        self, thread_id: str, checkpoint: CheckpointConfig | None, subgraphs: bool | None, select: list[str] | None
    ) -> Response:
        state = await self.states.state(thread_id, checkpoint, subgraphs=bool(subgraphs))
        return json_response(select_state_fields(state, select))

    async def update(self, thread_id: str, body: ThreadStateUpdate) -> Response:
        """POST /threads/{thread_id}/state"""
        return json_response(await self.states.update(thread_id, body))

    async def history(self, thread_id: str, limit: int, before: str | None) -> Response:
        """GET /threads/{thread_id}/history"""
        checkpoint: ThreadStateBound | None = None
        if before is not None:
            checkpoint = {"checkpoint_id": usual_id(before) or before}
        search = ThreadStateSearch(limit=limit, before=checkpoint)
        return json_response(await self.states.history(thread_id, search))

    async def search(self, thread_id: str, body: ThreadStateSearch) -> Response:
        """POST /threads/{thread_id}/history"""
        states = await self.states.history(thread_id, body)
        return json_response([select_state_fields(state, body.select) for state in states])
