"""The long-term store: several processes and event loops use it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from runyard.runtime.errors import Invalid, Unavailable
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.store import (
    GetItem,
    ListNamespaces,
    SearchItems,
    StoredItem,
)

from .backends import Backend
from .conftest import Open
from .store_items import EVERYTHING, PLACE, get, keys, namespaces, put, put_item, search

LetTimePass = Callable[[float], None]


# Putting and getting


async def test_what_one_process_puts_another_finds(storage: Storage, another: Open) -> None:
    other = another()
    await asyncio.gather(storage.store.ready(), other.store.ready())
    await put(storage, "a", {"n": 1})
    found = await get(other, "a")
    assert found is not None
    assert (found.namespace, found.key, found.value, found.score) == (PLACE, "a", b'{"n":1}', None)
    await put(other, "a", {"n": 2})
    found = await get(storage, "a")
    assert found is not None
    assert found.value == b'{"n":2}'
    await put(storage, "a", None)
    assert await get(other, "a") is None


async def test_an_item_that_is_put_again_keeps_the_time_of_its_creation(storage: Storage) -> None:
    await put(storage, "a", {"n": 1})
    before = await get(storage, "a")
    await put(storage, "a", {"n": 2})
    after = await get(storage, "a")
    assert before is not None
    assert after is not None
    assert before.created_at == after.created_at
    assert before.updated_at < after.updated_at


async def test_operations_of_one_batch_are_answered_in_their_order(storage: Storage) -> None:
    operations = [put_item(key, {"n": number}) for number, key in enumerate("abc")]
    assert await storage.store.batch(EVERYTHING, operations) == [None, None, None]
    nothing, searched, put_now, found = await storage.store.batch(
        EVERYTHING,
        [
            GetItem(namespace=PLACE, key="z"),
            SearchItems(prefix=("notes",), filter={"n": {"$gte": 1}}),
            put_item("z", {}),
            ListNamespaces(),
        ],
    )
    assert isinstance(searched, list)
    assert [item.key for item in searched if isinstance(item, StoredItem)] == ["c", "b"]
    assert (nothing, put_now, found) == (None, None, [PLACE])
    assert await get(storage, "z") is not None


async def test_of_two_puts_of_one_key_the_last_counts(storage: Storage) -> None:
    await storage.store.batch(EVERYTHING, [put_item("a", {"n": 1}), put_item("a", None), put_item("a", {"n": 3})])
    found = await get(storage, "a")
    assert found is not None
    assert found.value == b'{"n":3}'


def test_it_is_used_from_one_event_loop_after_another(storage: Storage) -> None:
    asyncio.run(put(storage, "a", {"n": 1}))
    assert asyncio.run(get(storage, "a")) is not None


async def test_nothing_is_put_after_the_end(storage: Storage) -> None:
    storage.close()
    with pytest.raises(Unavailable):
        await put(storage, "a", {"n": 1})


async def test_what_is_asked_at_once_is_answered_to_each(storage: Storage) -> None:
    await asyncio.gather(*(put(storage, str(number), {"n": number}) for number in range(100)))
    refused, *found = await asyncio.gather(
        search(storage, prefix=PLACE, filter={"n": {"$almost": 1}}),
        *(get(storage, str(number)) for number in range(100)),
        return_exceptions=True,
    )
    assert isinstance(refused, Invalid), "what cannot be done spoils nothing for others"
    assert [item.value for item in found if isinstance(item, StoredItem)] == [b'{"n":%d}' % n for n in range(100)]


@pytest.mark.parametrize(
    "key", ["", "a b", "a/b", "a.b", "'; drop table items; --", "\0", "ä\U0001f600", "k" * 100_000]
)
async def test_keys_are_texts_and_nothing_else(storage: Storage, key: str) -> None:
    await put(storage, key, {"key": key}, ("o'clock", "100%", "[a-z]*", "naïve"))
    found = await get(storage, key, ("o'clock", "100%", "[a-z]*", "naïve"))
    assert found is not None
    assert (found.key, orjson.loads(found.value)) == (key, {"key": key})
    assert await keys(storage, prefix=("o'clock",)) == [key]
    assert await keys(storage, prefix=("o'clock", "100%", "[a-z]*")) == [key]
    assert await keys(storage, prefix=("o'clock", "100%", "b")) == []
    await put(storage, key, None, ("o'clock", "100%", "[a-z]*", "naïve"))
    assert await search(storage) == []


# Searching


async def test_a_prefix_is_one_of_labels(storage: Storage) -> None:
    for namespace in (("a",), ("a", "b"), ("a-", "b"), ("ab",), ("A",), ("b", "a")):
        await put(storage, ".".join(namespace), {}, namespace)
    assert await keys(storage, prefix=("a",)) == ["a.b", "a"]
    assert await keys(storage, prefix=("a", "b")) == ["a.b"]
    assert len(await search(storage)) == 6


async def test_what_was_put_last_comes_first_page_by_page(storage: Storage) -> None:
    await storage.store.batch(EVERYTHING, [put_item(str(number), {}) for number in range(5)])
    await put(storage, "1", {})
    assert await keys(storage, limit=3) == ["1", "4", "3"]
    assert await keys(storage, limit=3, offset=3) == ["2", "0"]
    assert await keys(storage, limit=3, offset=9) == []


async def test_a_page_of_values_that_are_too_large_together_is_refused(
    storage: Storage, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend.largest_page, 2_000)
    await storage.store.batch(EVERYTHING, [put_item(str(number), {"text": "x" * 900}) for number in range(3)])
    assert len(await search(storage, limit=2)) == 2
    with pytest.raises(Invalid, match="ask for fewer"):
        await search(storage, limit=3)


async def test_namespaces_are_listed_in_order_by_their_ends_and_depth(storage: Storage) -> None:
    for namespace in (("a", "x"), ("a", "y"), ("b", "x", "deep"), ("a",), ("c", "x")):
        await put(storage, "k", {}, namespace)
    everything = [("a",), ("a", "x"), ("a", "y"), ("b", "x", "deep"), ("c", "x")]
    assert await namespaces(storage) == everything
    assert await namespaces(storage, prefixes=[("a",)]) == everything[:3]
    assert await namespaces(storage, suffixes=[("x",)]) == [("a", "x"), ("c", "x")]
    assert await namespaces(storage, prefixes=[("*", "x")]) == [("a", "x"), ("b", "x", "deep"), ("c", "x")]
    assert await namespaces(storage, suffixes=[("x", "*")]) == [("b", "x", "deep")]
    assert await namespaces(storage, prefixes=[("a", "*")], suffixes=[("y",)]) == [("a", "y")]
    assert await namespaces(storage, max_depth=1) == [("a",), ("b",), ("c",)]
    assert await namespaces(storage, max_depth=2, limit=2, offset=2) == [("a", "y"), ("b", "x")]
    assert await namespaces(storage, max_depth=2**53) == everything


FILTERED: list[tuple[dict[str, Any], str]] = [
    ({}, "abcdefghijk"),
    ({"x": 1}, "bc"),
    ({"x": True}, "d"),
    ({"x": None}, "aehijk"),
    ({"x": "1"}, "f"),
    ({"x": {"$ne": 1}}, "adefghijk"),
    ({"x": {"$gt": 0, "$lte": 1.0}}, "bc"),
    ({"x": {"$gte": "1"}}, "fg"),
    ({"x": {"$lt": "2"}}, "f"),
    ({"y": {"z": 1}}, "h"),
    ({"y.z": 1}, "h"),
    ({"y.0": 1}, ""),
    ({"y": {}}, "h"),
    ({"y": [1, {"z": 2}]}, "i"),
    ({"y": {"$eq": [1]}}, ""),
    ({'"': {"$eq": "\0"}}, "j"),
    ({'"': {"$ne": "\0"}}, "abcdefghik"),
    ({'"': "\\u0000"}, "k"),
    ({"n": 2**63 + 1}, "j"),
    ({"n": 2**63}, ""),
]


async def test_a_filter_finds_what_is_as_it_says_and_mixes_up_no_types(storage: Storage) -> None:
    values: dict[str, Any] = {
        "a": {},
        "b": {"x": 1},
        "c": {"x": 1.0},
        "d": {"x": True},
        "e": {"x": None},
        "f": {"x": "1"},
        "g": {"x": "é"},
        "h": {"y": {"z": 1, "other": 2}},
        "i": {"y": [1, {"z": 2}]},
        "j": {'"': "\0", "n": 2**63 + 1},
        "k": {'"': "\\u0000"},
    }
    await storage.store.batch(EVERYTHING, [put_item(key, value) for key, value in values.items()])
    found = [(wanted, "".join(sorted(await keys(storage, filter=wanted, limit=20)))) for wanted, _ in FILTERED]
    assert found == FILTERED
    with pytest.raises(Invalid, match="more than 50 things"):
        await search(storage, filter={str(number): 1 for number in range(51)})


# Lifetimes


async def test_items_whose_time_is_over_are_not_there(storage: Storage, let_time_pass: LetTimePass) -> None:
    await put(storage, "short", {}, ("short",), ttl=1.0)
    await put(storage, "long", {}, ttl=10.0)
    await put(storage, "endless", {})
    let_time_pass(61)
    assert await get(storage, "short", ("short",)) is None
    assert await keys(storage) == ["endless", "long"]
    assert await namespaces(storage) == [PLACE]
    assert not await storage.store.expire(10)
    let_time_pass(-61)
    assert await get(storage, "short", ("short",)) is None, "it was removed"


async def test_an_item_whose_time_is_over_is_put_as_a_new_one(storage: Storage, let_time_pass: LetTimePass) -> None:
    await put(storage, "a", {}, ttl=1.0)
    before = await get(storage, "a")
    let_time_pass(61)
    await put(storage, "a", {})
    after = await get(storage, "a")
    assert before is not None
    assert after is not None
    assert before.created_at < after.created_at


async def test_reading_begins_the_time_of_an_item_anew_if_it_is_asked_to(
    storage: Storage, let_time_pass: LetTimePass
) -> None:
    for key in ("got", "searched", "neither"):
        await put(storage, key, {}, (key,), ttl=1.0)
    let_time_pass(40)
    assert await get(storage, "got", ("got",), refresh=True)
    assert await search(storage, prefix=("searched",), refresh=True)
    assert await get(storage, "neither", ("neither",))
    let_time_pass(40)
    assert sorted(await keys(storage)) == ["got", "searched"]


async def test_what_is_over_is_removed_in_pieces(storage: Storage, let_time_pass: LetTimePass) -> None:
    await storage.store.batch(EVERYTHING, [put_item(str(number), {}, ttl=1.0) for number in range(5)])
    assert not await storage.store.expire(2)
    let_time_pass(61)
    assert [await storage.store.expire(2) for _ in range(3)] == [True, True, False]
