"""The long-term store finds items by what they mean: exactly, and as they are now."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.store import Embedded, FieldVector, Meaning

from .backends import Backend
from .store_items import PLACE, keys, put, search


async def find_by_meaning(storage: Storage) -> None:
    if not storage.capabilities.semantic_search:
        pytest.skip("this Postgres has no pgvector")
    await storage.store.ready(dims=2)


def embedded(*vectors: tuple[float, float], index: str = "one") -> Embedded:
    texts = [FieldVector(str(number), struct.pack("<2f", *vector)) for number, vector in enumerate(vectors)]
    return Embedded(index=index, vectors=texts)


def meaning(x: float, y: float, index: str = "one") -> Meaning:
    return Meaning(index=index, vector=struct.pack("<2f", x, y))


@pytest.mark.parametrize("many", [False, True])
async def test_the_nearest_come_first_page_by_page(
    storage: Storage, backend: Backend, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in backend.search_thresholds.items() if many else ():
        monkeypatch.setattr(name, value)
    await find_by_meaning(storage)
    for number in range(10):
        await put(storage, str(number), {"even": number % 2 == 0}, embedded=embedded((1.0, number), (-1.0, -1.0)))
    near = meaning(1.0, 0.0)
    assert await keys(storage, near=near) == list("0123456789")
    assert await keys(storage, near=near, limit=4, offset=8) == ["8", "9"]
    assert await keys(storage, near=near, prefix=PLACE, limit=4) == list("0123")
    assert await keys(storage, near=near, filter={"even": True}) == list("02468")
    assert await keys(storage, near=near, prefix=("elsewhere",)) == []
    assert [round(item.score or 0, 3) for item in await search(storage, near=near, limit=2)] == [1.0, 0.707]


async def test_an_item_is_as_near_as_the_nearest_of_its_texts(storage: Storage) -> None:
    await find_by_meaning(storage)
    await put(storage, "both", {}, embedded=embedded((1.0, 0.0), (0.0, 1.0)))
    await put(storage, "between", {}, embedded=embedded((1.0, 1.0)))
    await put(storage, "none", {}, embedded=embedded())
    await put(storage, "nowhere", {}, embedded=embedded((0.0, 0.0)))
    assert await keys(storage, near=meaning(0.0, 2.0)) == ["both", "between"]


async def test_what_is_put_anew_or_deleted_is_not_found_by_what_it_was(storage: Storage) -> None:
    await find_by_meaning(storage)
    for key in ("changed", "deleted", "plain"):
        await put(storage, key, {}, embedded=embedded((1.0, 0.0)))
    await put(storage, "changed", {}, embedded=embedded((0.0, 1.0)))
    await put(storage, "deleted", None)
    await put(storage, "plain", {})
    found = await search(storage, near=meaning(1.0, 0.0))
    assert [(item.key, item.score) for item in found] == [("changed", 0.0)]


async def test_another_index_is_made_of_what_is_there(storage: Storage) -> None:
    await find_by_meaning(storage)
    await put(storage, "earlier", {"n": 1}, embedded=embedded((1.0, 0.0), index="zero"))
    await put(storage, "never", {"n": 2}, fields=["n"])
    await put(storage, "done", {"n": 3}, embedded=embedded((1.0, 0.0)))
    assert await keys(storage, near=meaning(1.0, 0.0)) == ["done"]
    assert await storage.store.count_unindexed("one") == 2
    items = await storage.store.unindexed("one", 10)
    assert sorted((item.value, item.fields) for item in items) == [(b'{"n":1}', None), (b'{"n":2}', ["n"])]
    await put(storage, "never", {"n": 4})
    await storage.store.index_items([(item, embedded((1.0, 0.0))) for item in items])
    assert sorted(await keys(storage, near=meaning(1.0, 0.0))) == ["done", "earlier"]
    (left,) = await storage.store.unindexed("one", 10)
    assert left.value == b'{"n":4}', "it was put meanwhile"
    await storage.store.index_items([(replace(left), embedded())])
    assert await storage.store.count_unindexed("one") == 0
