from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.runtime.storage.sqlite.storage import SqliteStorage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()
