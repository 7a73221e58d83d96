"""Runs that come at once are accepted in one transaction; one that is refused does not take others along."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runyard.runtime.errors import AssistantChanged, Invalid
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import InsertResult
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import claim_all, run_status, stateless, thread_status
from tests.storage.postgres_server import address, schema_of


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[PostgresStorage]:
    target = Target.parse(address(), schema_of(tmp_path))
    storage = PostgresStorage(target, connections=1)
    storage.open(maintain=False)
    yield storage
    storage.close()
    with psycopg.connect(target.url) as connection:
        connection.execute(f"drop schema {target.schema} cascade")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"seen_at": "2020-01-01T00:00:00.000000+00:00"}, AssistantChanged),
        ({"metadata": {"text": "\0"}}, Invalid),
        ({"webhook": "\0"}, Invalid),
    ],
)
async def test_a_run_that_cannot_be_accepted_is_refused_alone(
    storage: PostgresStorage, fields: dict[str, Any], error: type[Exception]
) -> None:
    refused = stateless(**fields)
    runs = [*(stateless() for _ in range(10)), refused, *(stateless() for _ in range(10))]
    answers = await asyncio.gather(
        *(storage.runs.insert(Scope.everything(), [each]) for each in runs), return_exceptions=True
    )
    for new_run, answer in zip(runs, answers, strict=True):
        assert isinstance(answer, error if new_run is refused else InsertResult)
    assert await run_status(storage, refused) is None
    assert await thread_status(storage, refused.thread_id) is None
    assert len(await claim_all(storage)) == 20
