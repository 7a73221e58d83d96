"""A receiver, and webhooks to be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .memory_deliveries import MemoryDeliveries
from .scripted_receiver import ScriptedReceiver


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedReceiver]:
    async with ScriptedReceiver() as receiver:
        yield receiver


@pytest.fixture
async def storage() -> MemoryDeliveries:
    return MemoryDeliveries()
