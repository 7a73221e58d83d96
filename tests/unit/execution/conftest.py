"""Storage for workers in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.runtime.storage.sqlite.storage import SqliteStorage


@pytest.fixture
def storage(tmp_path: Path) -> SqliteStorage:
    return SqliteStorage(tmp_path / "runyard.db")
