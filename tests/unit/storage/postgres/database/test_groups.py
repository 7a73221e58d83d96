"""Which requests go into one transaction."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest

from runyard.runtime.storage.postgres.database import groups, rest
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.groups import Groups
from runyard.runtime.storage.postgres.database.target import Target
from tests.storage.postgres_server import address


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database(Target.parse(address()), connections=4)
    yield database
    database.close()


async def test_more_gathers_before_the_next_transaction_where_they_take_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[int]] = []
    rests, rested = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        assert seconds > 0
        rests.set()
        assert rested.wait(60)

    def perform(connection: Connection, requests: Sequence[int]) -> Sequence[int]:
        made.append(list(requests))
        return requests

    monkeypatch.setattr(groups, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    for name, value in (("QUICK", 0.0), ("FACTOR", 1e6), ("LONGEST", 1e6)):
        monkeypatch.setattr(rest, name, value)
    requests = Groups(database, perform, lambda _: [])
    await requests.add(1)
    first = asyncio.create_task(requests.add(2))
    assert await asyncio.to_thread(rests.wait, 60)
    others = [asyncio.create_task(requests.add(number)) for number in (3, 4)]
    await asyncio.sleep(0)  # they have asked
    rested.set()
    assert await asyncio.gather(first, *others) == [2, 3, 4]
    assert made == [[1], [2, 3, 4]]
