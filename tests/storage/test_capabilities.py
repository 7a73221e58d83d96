"""What a backend says of itself is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.runtime.errors import ConfigError
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.store import Embedded, FieldVector, Meaning, PutItem, SearchItems, StoredItem

from .backends import Backend
from .builders import insert, run_status, stateless


def test_it_has_as_many_servers_as_it_says(backend: Backend, tmp_path: Path) -> None:
    first, second = backend.make(tmp_path), backend.make(tmp_path)
    assert not first.served()
    first.open(maintain=True)
    try:
        assert second.served() != second.capabilities.several_servers
        if second.capabilities.several_servers:
            second.open(maintain=True)
        else:
            with pytest.raises(ConfigError, match="another Runyard server"):
                second.open(maintain=True)
            second.open(maintain=False)  # for a worker
        second.close()
    finally:
        first.close()
    third = backend.make(tmp_path)
    assert not third.served()
    third.open(maintain=True)
    third.close()


async def test_it_makes_copies_if_it_says_so(storage: Storage, backend: Backend, tmp_path: Path) -> None:
    new_run = await insert(storage, stateless())
    folder = tmp_path / "copy"
    folder.mkdir()
    if not storage.capabilities.copies:
        with pytest.raises(ConfigError):
            storage.copy_to(folder, lambda done, total: None)
        return
    assert storage.copy_to(folder, lambda done, total: None)
    copy = backend.make(folder)
    copy.open(maintain=False)
    assert await run_status(copy, new_run) == "pending"
    copy.close()


async def test_it_searches_by_meaning_if_it_says_so(storage: Storage) -> None:
    if not storage.capabilities.semantic_search:
        with pytest.raises(ConfigError):
            await storage.store.ready(dims=2)
        return
    await storage.store.ready(dims=2)
    vector = b"\0\0\x80\x3f\0\0\0\0"
    embedded = Embedded(index="one", vectors=[FieldVector("$", vector)])
    put = PutItem(namespace=("notes",), key="a", value=b"{}", embedded=embedded)
    search = SearchItems(near=Meaning(index="one", vector=vector))
    _, found = [
        *(await storage.store.batch(Scope.everything(), [put])),
        *(await storage.store.batch(Scope.everything(), [search])),
    ]
    assert isinstance(found, list)
    (item,) = found
    assert isinstance(item, StoredItem)
    assert item.score == 1


async def test_its_schema_is_whole_once_it_was_opened(backend: Backend, tmp_path: Path) -> None:
    before = backend.make(tmp_path).schema()
    assert before.missing
    assert not before.applied
    storage = backend.make(tmp_path)
    storage.open(maintain=False)
    storage.close()
    after = backend.make(tmp_path).schema()
    backend.remove(tmp_path)
    assert (after.applied, after.missing, after.unknown, after.refusal) == (before.missing, [], [], None)
