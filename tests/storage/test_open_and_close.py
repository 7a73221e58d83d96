"""A handle on storage from its opening to its end."""

from __future__ import annotations

import pytest

from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.storage import Storage


async def test_a_database_that_answers_is_healthy(storage: Storage) -> None:
    await storage.check()


async def test_nothing_is_written_after_the_end(storage: Storage) -> None:
    storage.close()
    with pytest.raises(Unavailable):
        await storage.workers.heartbeat("worker", [])
