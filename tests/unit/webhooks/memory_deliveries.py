"""Deliveries in memory, as the sender of webhooks sees them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runyard.runtime.storage.port.deliveries import Delivery


@dataclass
class Row:
    """One delivery and what became of it."""

    url: str
    payload: dict[str, Any]
    due: float = 0.0
    leased: bool = False
    attempt: int = 0
    delivered: bool | None = None
    errors: list[str] = field(default_factory=list)


class MemoryDeliveries:
    """Deliveries in memory: what the sender relies on, no more."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.changed = asyncio.Condition()
        self.failures = 0
        self.failed = asyncio.Event()

    def add(self, url: str, **payload: Any) -> Row:
        number = len(self.rows)
        self.rows[number] = Row(url, {"run_id": f"run-{number}", **payload})
        return self.rows[number]

    async def claim(self, limit: int, lease_seconds: float) -> list[Delivery]:
        if self.failures:
            self.failures -= 1
            self.failed.set()
            raise OSError("the disk is away")
        now = asyncio.get_running_loop().time()
        waiting = [n for n, row in self.rows.items() if row.delivered is None and not row.leased]
        due = [number for number in waiting if self.rows[number].due <= now]
        claimed = sorted(due, key=lambda number: self.rows[number].due)[:limit]
        for number in claimed:
            self.rows[number].leased = True
            self.rows[number].attempt += 1
        return [self._delivery(number) for number in claimed]

    async def finish(self, delivery_id: int, attempt: int, *, delivered: bool) -> None:
        self._own(delivery_id, attempt).delivered = delivered
        await self._tell()

    async def postpone(self, delivery_id: int, attempt: int, *, seconds: float, error: str) -> None:
        row = self._own(delivery_id, attempt)
        row.leased = False
        row.due = asyncio.get_running_loop().time() + seconds
        row.errors.append(error)
        await self._tell()

    async def next_due(self) -> float | None:
        now = asyncio.get_running_loop().time()
        open_ones = [row for row in self.rows.values() if row.delivered is None]
        return min((120.0 if row.leased else max(0.0, row.due - now) for row in open_ones), default=None)

    async def until(self, condition: Callable[[], object]) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: bool(condition()))

    async def all_ended(self) -> None:
        await self.until(lambda: all(row.delivered is not None for row in self.rows.values()))

    def _own(self, number: int, attempt: int) -> Row:
        row = self.rows[number]
        assert row.leased
        assert row.attempt == attempt
        return row

    def _delivery(self, number: int) -> Delivery:
        row = self.rows[number]
        return Delivery(
            delivery_id=number,
            attempt=row.attempt,
            url=row.url,
            run_id=row.payload["run_id"],
            payload=json.dumps(row.payload).encode(),
        )

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()
