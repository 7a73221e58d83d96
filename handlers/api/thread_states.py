"""Operations on the states of threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runyard.generated.mappings import CheckpointConfig, ThreadStateBound
from runyard.generated.models import ThreadStateCheckpointRequest, ThreadStateSearch, ThreadStateUpdate
from runyard.handlers.api.thread_access import read_thread, update_thread
from runyard.handlers.http.responses import Response, encoded_response
from runyard.runtime.auth.principal import Principal
from runyard.runtime.config.ids import usual_id
from runyard.runtime.scope import Scope


class ThreadStateService(Protocol):
    """What the operations need of the service. All answers are JSON."""

    async def state(
        self,
        scope: Scope,
        thread_id: str,
        checkpoint: CheckpointConfig | None = None,
        *,
        subgraphs: bool = False,
        select: Sequence[str] | None = None,
    ) -> bytes:
        """The latest state, or that at a checkpoint; one that does not exist has an empty state. `subgraphs` adds
        the states of interrupted subgraphs to their tasks; `select` names the fields that are wanted. Raises NotFound,
        BadRequest for a state that cannot be read, Unavailable when nothing can be."""

    async def history(self, scope: Scope, thread_id: str, request: ThreadStateSearch) -> bytes:
        """The states of the thread, newest first. Raises as `state` does."""

    async def update(self, scope: Scope, thread_id: str, request: ThreadStateUpdate) -> bytes:
        """Writes a new state; answers its checkpoint. Raises NotFound for an unknown thread or checkpoint, Conflict
        while runs are pending or running, BadRequest for what the graph does not accept, Unavailable."""


class ThreadStateHandlers:
    """The operations with the tag Threads that concern states."""

    def __init__(self, states: ThreadStateService) -> None:
        self.states = states

    async def get(
        self, principal: Principal, thread_id: str, subgraphs: bool | None, select: list[str] | None
    ) -> Response:
        """GET /threads/{thread_id}/state"""
        return await self._respond(principal, thread_id, None, subgraphs, select)

    async def get_at(
        self, principal: Principal, thread_id: str, checkpoint_id: str, subgraphs: bool | None, select: list[str] | None
    ) -> Response:
        """GET /threads/{thread_id}/state/{checkpoint_id}"""
        return await self._respond(principal, thread_id, {"checkpoint_id": checkpoint_id}, subgraphs, select)

    async def post_at(self, principal: Principal, thread_id: str, body: ThreadStateCheckpointRequest) -> Response:
        """POST /threads/{thread_id}/state/checkpoint"""
        return await self._respond(principal, thread_id, body.checkpoint, body.subgraphs, body.select)

    async def _respond(
        self,
        principal: Principal,
        thread_id: str,
        checkpoint: CheckpointConfig | None,
        subgraphs: bool | None,
        select: list[str] | None,
    ) -> Response:
        scope = await read_thread(principal, thread_id)
        return encoded_response(
            await self.states.state(scope, thread_id, checkpoint, subgraphs=bool(subgraphs), select=select)
        )

    async def update(self, principal: Principal, thread_id: str, body: ThreadStateUpdate) -> Response:
        """POST /threads/{thread_id}/state"""
        return encoded_response(await self.states.update(await update_thread(principal, thread_id), thread_id, body))

    async def history(self, principal: Principal, thread_id: str, limit: int, before: str | None) -> Response:
        """GET /threads/{thread_id}/history"""
        checkpoint: ThreadStateBound | None = None
        if before is not None:
            checkpoint = {"checkpoint_id": usual_id(before) or before}
        search = ThreadStateSearch(limit=limit, before=checkpoint)
        scope = await read_thread(principal, thread_id)
        return encoded_response(await self.states.history(scope, thread_id, search))

    async def search(self, principal: Principal, thread_id: str, body: ThreadStateSearch) -> Response:
        """POST /threads/{thread_id}/history"""
        return encoded_response(await self.states.history(await read_thread(principal, thread_id), thread_id, body))
