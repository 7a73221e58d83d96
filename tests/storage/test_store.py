"""The long-term store of graphs: several processes and event loops use it."""

from __future__ import annotations

import asyncio

import pytest
from langgraph.store.base import GetOp, Item, ListNamespacesOp, PutOp, SearchItem, SearchOp

from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.storage import Storage

from .conftest import Open

PLACE = ("notes", "lakes")


async def put(storage: Storage, key: str, number: int) -> None:
    await storage.store.batch([PutOp(PLACE, key, {"n": number})])


async def get(storage: Storage, key: str) -> Item | None:
    (found,) = await storage.store.batch([GetOp(PLACE, key)])
    assert found is None or isinstance(found, Item)
    return found


async def test_what_one_process_puts_another_finds(storage: Storage, another: Open) -> None:
    other = another()
    await asyncio.gather(storage.store.ready(), other.store.ready())
    await put(storage, "a", 1)
    found = await get(other, "a")
    assert found is not None
    assert (found.namespace, found.key, found.value) == (PLACE, "a", {"n": 1})
    await put(other, "a", 2)
    found = await get(storage, "a")
    assert found is not None
    assert found.value == {"n": 2}
    await storage.store.batch([PutOp(PLACE, "a", None)])
    assert await get(other, "a") is None


async def test_operations_of_one_batch_are_answered_in_their_order(storage: Storage) -> None:
    await storage.store.batch([PutOp(PLACE, key, {"n": number}) for number, key in enumerate("abc")])
    searched, nothing, namespaces = await storage.store.batch(
        [SearchOp(("notes",), filter={"n": {"$gte": 1}}), GetOp(PLACE, "z"), ListNamespacesOp()]
    )
    assert isinstance(searched, list)
    assert sorted(item.key for item in searched if isinstance(item, SearchItem)) == ["b", "c"]
    assert (nothing, namespaces) == (None, [PLACE])


def test_it_is_used_from_one_event_loop_after_another(storage: Storage) -> None:
    asyncio.run(put(storage, "a", 1))
    assert asyncio.run(get(storage, "a")) is not None


async def test_nothing_is_put_after_the_end(storage: Storage) -> None:
    storage.close()
    with pytest.raises(Unavailable):
        await put(storage, "a", 1)


async def test_what_is_asked_at_once_is_answered_to_each(storage: Storage) -> None:
    await asyncio.gather(*(put(storage, str(number), number) for number in range(100)))
    refused, *found = await asyncio.gather(
        storage.store.batch([SearchOp(PLACE, filter={"n": {"$almost": 1}})]),
        *(get(storage, str(number)) for number in range(100)),
        return_exceptions=True,
    )
    assert isinstance(refused, ValueError), "what cannot be done spoils nothing for others"
    assert [item.value for item in found if isinstance(item, Item)] == [{"n": number} for number in range(100)]
