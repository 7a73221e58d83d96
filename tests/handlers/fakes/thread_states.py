"""Threads that all have the same state."""

from __future__ import annotations

import uuid
from typing import Any

from runyard.generated import models
from runyard.generated.mappings import CheckpointConfig


class FakeThreadStates:
    """`calls` has all calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def state(
        self, thread_id: str, checkpoint: CheckpointConfig | None = None, *, subgraphs: bool = False
    ) -> models.ThreadState:
        self.calls.append(("state", checkpoint, subgraphs))
        return models.ThreadState(
            values={"n": 1, "log": ["a"]},
            next=[],
            tasks=[],
            checkpoint=None,
            metadata=None,
            created_at=None,
            parent_checkpoint=None,
            interrupts=[],
            checkpoint_id=None,
            parent_checkpoint_id=None,
        )

    async def history(self, thread_id: str, request: models.ThreadStateSearch) -> list[models.ThreadState]:
        state = await self.state(thread_id)
        self.calls.append(("history", request))
        return [state]

    async def update(self, thread_id: str, request: models.ThreadStateUpdate) -> dict[str, Any]:
        self.calls.append(("update", request))
        checkpoint = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": str(uuid.uuid4())}
        return {"checkpoint": checkpoint, "configurable": checkpoint, "checkpoint_id": checkpoint["checkpoint_id"]}
