"""The service behind the operations on the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from runyard.generated.models import StoreSearchRequest
from runyard.runtime.config.project import Project, StoreTtl
from runyard.runtime.scope import Scope
from runyard.runtime.services.store import Store
from runyard.runtime.storage.sqlite.storage import SqliteStorage

EVERYTHING = Scope.everything()
Later = Callable[[float], None]


class Nobody:
    """A viewer that is not to be asked."""

    async def ready(self) -> None:
        pass

    async def ask(self, view: str, *arguments: Any) -> bytes:
        raise AssertionError(view)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Lets so many seconds go by."""

    def go_by(seconds: float) -> None:
        before = time.time_ns
        monkeypatch.setattr("time.time_ns", lambda: before() + int(seconds * 1e9))

    return go_by


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    with closing(SqliteStorage(tmp_path / "runyard.db")) as storage:
        yield storage


def service(storage: SqliteStorage, **ttl: Any) -> Store:
    project = Project(
        path=Path("langgraph.json"), directory=Path(), graphs={}, import_paths=(), store_ttl=StoreTtl(**ttl)
    )
    return Store(storage, project, Nobody())


async def put(store: Store, key: str, **given: Any) -> None:
    await store.put(EVERYTHING, {"namespace": ["n"], "key": key, "value": {}, **given})


async def found(store: Store) -> list[str]:
    answer = orjson.loads(await store.search(EVERYTHING, StoreSearchRequest(refresh_ttl=False)))
    return sorted(item["key"] for item in answer["items"])


async def test_a_lifetime_that_is_absent_is_that_of_the_project_and_null_is_none(
    storage: SqliteStorage, later: Later
) -> None:
    store = service(storage, minutes=1.0)
    await put(store, "absent")
    await put(store, "null", ttl=None)
    await put(store, "long", ttl=10)
    later(90)
    assert await found(store) == ["long", "null"]


@pytest.mark.parametrize(
    ("on_read", "asked", "lives"),
    [(True, None, True), (True, False, False), (False, None, False), (False, True, True)],
)
async def test_reading_begins_a_lifetime_anew_as_the_request_or_the_project_says(
    storage: SqliteStorage, later: Later, on_read: bool, asked: bool | None, lives: bool
) -> None:
    store = service(storage, refresh_on_read=on_read)
    await put(store, "a", ttl=1)
    later(40)
    assert orjson.loads(await store.get(EVERYTHING, ["n"], "a", asked)) is not None
    later(40)
    assert (await found(store) == ["a"]) == lives
