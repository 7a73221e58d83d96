"""Runs that come at once are accepted in one transaction; one that is refused does not take others along."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runyard.runtime.errors import AssistantChanged, Invalid
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import InsertResult
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import claim_all, run_status, stateless, thread_status
from tests.storage.postgres_handles import PostgresHandles


@pytest.fixture
def storage(postgres_handles: PostgresHandles) -> PostgresStorage:
    return postgres_handles.open(connections=1)


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
