"""Storage on a schema of the tests' Postgres, and what it asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.exchange import Answer, Parameters
from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.postgres_handles import PostgresHandles, empty_schema


@pytest.fixture
def postgres_handles(tmp_path: Path) -> Iterator[PostgresHandles]:
    with empty_schema(tmp_path) as handles:
        yield handles


@pytest.fixture
def storage(postgres_handles: PostgresHandles) -> PostgresStorage:
    return postgres_handles.open()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What has been asked of the database: each statement, with its parameters."""
    asked: list[tuple[str, Any]] = []
    execute = Connection.execute

    def noted(self: Connection, statement: str, parameters: Parameters = ()) -> Answer:
        asked.append((statement, parameters))
        return execute(self, statement, parameters)

    monkeypatch.setattr(Connection, "execute", noted)
    return asked
