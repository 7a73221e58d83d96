"""Threads that all have the same state."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import orjson

from runyard.generated import models
from runyard.generated.mappings import CheckpointConfig
from runyard.runtime.scope import Scope
from runyard.runtime.services.state_fields import select_state_fields

STATE = models.ThreadState(
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


class FakeThreadStates:
    """`calls` has all calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def state(
        self,
        scope: Scope,
        thread_id: str,
        checkpoint: CheckpointConfig | None = None,
        *,
        subgraphs: bool = False,
        select: Sequence[str] | None = None,
    ) -> bytes:
        self.calls.append(("state", checkpoint, subgraphs))
        return orjson.dumps(select_state_fields(STATE, select))

    async def history(self, scope: Scope, thread_id: str, request: models.ThreadStateSearch) -> bytes:
        self.calls.append(("history", request))
        return orjson.dumps([select_state_fields(STATE, request.select)])

    async def update(self, scope: Scope, thread_id: str, request: models.ThreadStateUpdate) -> bytes:
        self.calls.append(("update", request))
        checkpoint = {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": str(uuid.uuid4())}
        return orjson.dumps(
            {"checkpoint": checkpoint, "configurable": checkpoint, "checkpoint_id": checkpoint["checkpoint_id"]}
        )
