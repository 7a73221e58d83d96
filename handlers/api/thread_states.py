"""Operations on the states of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runyard.generated.models import ThreadStateCheckpointRequest, ThreadStateSearch, ThreadStateUpdate
from runyard.handlers.api.selection import state_part
from runyard.handlers.http.responses import Reply, json_answer

if TYPE_CHECKING:
    from runyard.runtime.services.thread_states import ThreadStates


class ThreadStateHandlers:
    """The operations with the tag Threads that concern states."""

    def __init__(self, states: ThreadStates) -> None:
        self.states = states

    async def get(self, thread_id: str, subgraphs: bool | None, select: list[str] | None) -> Reply:
        """GET /threads/{thread_id}/state"""
        return await self._answer(thread_id, None, subgraphs, select)

    async def get_at(
        self, thread_id: str, checkpoint_id: str, subgraphs: bool | None, select: list[str] | None
    ) -> Reply:
        """GET /threads/{thread_id}/state/{checkpoint_id}"""
        return await self._answer(thread_id, {"checkpoint_id": checkpoint_id}, subgraphs, select)

    async def post_at(self, thread_id: str, body: ThreadStateCheckpointRequest) -> Reply:
        """POST /threads/{thread_id}/state/checkpoint"""
        return await self._answer(thread_id, body.checkpoint, body.subgraphs, body.select)

    async def _answer(
        self, thread_id: str, checkpoint: dict[str, Any] | None, subgraphs: bool | None, select: list[str] | None
    ) -> Reply:
        state = await self.states.state(thread_id, checkpoint, subgraphs=bool(subgraphs))
        return json_answer(state_part(state, select))

    async def update(self, thread_id: str, body: ThreadStateUpdate) -> Reply:
        """POST /threads/{thread_id}/state"""
        return json_answer(await self.states.update(thread_id, body))

    async def history(self, thread_id: str, limit: int, before: str | None) -> Reply:
        """GET /threads/{thread_id}/history"""
        search = ThreadStateSearch(limit=limit, before=None if before is None else {"checkpoint_id": before})
        return json_answer(await self.states.history(thread_id, search))

    async def search(self, thread_id: str, body: ThreadStateSearch) -> Reply:
        """POST /threads/{thread_id}/history"""
        states = await self.states.history(thread_id, body)
        return json_answer([state_part(state, body.select) for state in states])
