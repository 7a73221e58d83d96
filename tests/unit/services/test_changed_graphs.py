"""Graphs that a changed project serves, or serves no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runyard.runtime.errors import Invalid
from runyard.runtime.scope import Scope
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.storage.sqlite.storage import SqliteStorage

SERVED: Any = SimpleNamespace(graphs={"talk": SimpleNamespace(config=None, description=None)}, unserved={})
UNSERVED: Any = SimpleNamespace(graphs={}, unserved={"talk": "graphs in JavaScript and TypeScript are not supported"})


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()


async def test_a_graph_is_served_as_soon_as_it_can_be_and_no_longer(storage: SqliteStorage) -> None:
    anything: Any = None
    assistants = Assistants(storage, UNSERVED, anything, anything)
    await assistants.serve(SERVED, {})
    assert (await assistants.resolve(Scope.everything(), "talk")).graph_id == "talk"
    await assistants.serve(UNSERVED, {})
    with pytest.raises(Invalid, match="'talk' is not served: graphs in JavaScript"):
        await assistants.resolve(Scope.everything(), "talk")
