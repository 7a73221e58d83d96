"""Results of batches, as a test scripts them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import orjson

from runyard.generated import models
from runyard.runtime.scope import Scope

from .batches import make_batch


def make_line(**changes: Any) -> bytes:
    """The line of a success; `changes` are fields of it."""
    fields: dict[str, Any] = {
        "index": 0,
        "run_id": str(uuid.uuid4()),
        "custom_id": None,
        "status": "success",
        "attempts": 1,
        "tries": 1,
        "retry_of": None,
        "values_dropped": False,
        "values": {"n": 1},
        "error": None,
    }
    return orjson.dumps({**fields, **changes}) + b"\n"


class FakeLines:
    """Says its script: lines, and seconds of silence."""

    def __init__(self, script: list[bytes | float]) -> None:
        self._script = script

    async def next(self, timeout: float) -> bytes | None:
        if not self._script:
            return None
        item = self._script.pop(0)
        if isinstance(item, bytes):
            return item
        await asyncio.sleep(min(item, timeout))
        if item > timeout:
            self._script.insert(0, item - timeout)
        return b""


class FakeBatchResults:
    """`calls` has what was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.script: list[bytes | float] = [make_line()]

    async def read(
        self, scope: Scope, batch_id: str, *, after: int, statuses: Sequence[str], follow: bool
    ) -> FakeLines:
        self.calls.append(("read", batch_id, after, [*statuses], follow))
        return FakeLines([*self.script])

    async def retry(self, scope: Scope, batch_id: str, *, statuses: Sequence[str], allow: Any = None) -> models.Batch:
        self.calls.append(("retry", batch_id, [*statuses]))
        return make_batch(batch_id=batch_id)
