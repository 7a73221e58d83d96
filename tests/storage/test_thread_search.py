"""Searching threads gives what looking at each of them would give, whatever leads the search."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from typing import Any

import pytest

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread, StateEdit

from .making import on_thread, stateless

THREADS = 150
VALUES: list[Any] = [
    "a",
    "b",
    "",
    "1",
    "true",
    1,
    1.0,
    2,
    -3,
    0.5,
    True,
    False,
    None,
    [1, "a"],
    [],
    {},
    {"x": 1},
    {"x": {"y": "z"}},
]
KEYS = ["k", "user", "key with spaces", 'a"b', "a.b", "é", ""]


def contained(wanted: Any, found: Any) -> bool:
    """What a filter means: objects are contained, everything else is equal, and true is not 1."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and contained(value, found[key]) for key, value in wanted.items()
        )
    return isinstance(wanted, bool) == isinstance(found, bool) and bool(wanted == found)


def matches(thread: Thread, request: ThreadSearchRequest) -> bool:
    return (
        (not request.ids or thread.thread_id in request.ids)
        and contained(request.metadata or {}, thread.metadata)
        and (not request.values or contained(request.values, thread.values))
        and (request.status is None or thread.status == request.status)
    )


async def fill(storage: Storage, rnd: random.Random) -> list[Thread]:
    """Kept and temporary threads, resting and busy, with all kinds of metadata and values."""
    made: list[str] = []
    for number in range(THREADS):
        thread_id = str(uuid.UUID(int=rnd.getrandbits(128), version=4))
        metadata = {key: rnd.choice(VALUES) for key in KEYS if rnd.random() < 0.6} | {"number": number % 7}
        if number % 5 == 0:
            temporary = stateless(thread_id=thread_id, thread_metadata=metadata, temporary=number % 2 == 0)
            await storage.runs.insert([temporary])
        else:
            values = f'{{"n": {rnd.randrange(3)}, "t": "{rnd.choice("xy")}", "deep": {{"b": true}}}}'.encode()
            edit = StateEdit(rows=[], base=None, values=values, interrupts=b"{}", paused=number % 4 == 0)
            draft = NewThread(thread_id=thread_id, metadata=metadata, edit=edit if number % 3 else None)
            await storage.threads.create(draft, "raise")
        made.append(thread_id)
    for thread_id in rnd.sample(made, 30):
        await storage.threads.patch(thread_id, {"user": rnd.choice(VALUES), "new": "word"}, None)
    await storage.runs.insert([on_thread(thread_id) for thread_id in rnd.sample(made, 5)])
    await storage.threads.delete(rnd.sample(made, 10))
    found = [await storage.threads.get(thread_id) for thread_id in made]
    return [thread for thread in found if thread is not None]


def ask(rnd: random.Random, threads: list[Thread]) -> ThreadSearchRequest:
    request = ThreadSearchRequest(limit=rnd.choice([1, 5, 1000]), offset=rnd.choice([0, 0, 3]))
    if rnd.random() < 0.7:
        keys = rnd.sample([*KEYS, "new", "number"], rnd.choice([1, 1, 2]))
        request.metadata = {key: rnd.choice([*VALUES, "word", 5]) for key in keys}
    if rnd.random() < 0.3:
        request.status = rnd.choice(["idle", "busy", "interrupted", "error"])
    if rnd.random() < 0.3:
        wanted: list[dict[str, Any]] = [{"n": 1}, {"t": "x"}, {"deep": {"b": True}}, {"deep": {"b": 1}}, {"n": None}]
        request.values = rnd.choice(wanted)
    if rnd.random() < 0.2:
        request.ids = [thread.thread_id for thread in rnd.sample(threads, 12)] + [str(uuid.uuid4())]
    request.sort_by = rnd.choice([None, "thread_id", "status", "created_at", "updated_at", "state_updated_at"])
    request.sort_order = rnd.choice([None, "asc", "desc"])
    return request


@pytest.mark.parametrize("narrow", [3, 2_000])
async def test_a_search_finds_what_looking_at_each_thread_finds(
    storage: Storage, narrow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.runtime.storage.sqlite.threads.search.NARROW", narrow)
    rnd = random.Random(narrow)
    threads = await fill(storage, rnd)
    hits = 0
    for _ in range(400):
        request = ask(rnd, threads)
        wanted = [thread for thread in threads if matches(thread, request)]
        column = request.sort_by or "created_at"
        between = "created_at" if column == "status" else "thread_id"
        wanted.sort(
            key=lambda thread: (getattr(thread, column), getattr(thread, between), thread.thread_id),
            reverse=request.sort_order != "asc",
        )
        page = slice(request.offset, request.offset + request.limit)
        found = await storage.threads.search(request, limit=request.limit, offset=request.offset)
        assert [thread.thread_id for thread in found] == [thread.thread_id for thread in wanted[page]], request
        hits += len(found)
        if not request.ids:
            count = ThreadCountRequest(metadata=request.metadata, values=request.values, status=request.status)
            assert await storage.threads.count(count) == len(wanted), request
    assert hits > 1000


async def test_a_list_without_values_need_not_read_them(storage: Storage) -> None:
    edit = StateEdit(rows=[], base=None, values=b'{"n": 1}', interrupts=b"{}", paused=False)
    await storage.threads.create(NewThread(thread_id=str(uuid.uuid4()), metadata={}, edit=edit), "raise")
    request = ThreadSearchRequest(select=["thread_id", "status"])
    (slim,) = await storage.threads.search(request, limit=1, offset=0)
    (full,) = await storage.threads.search(replace(request, extract={"n": "values.n"}), limit=1, offset=0)
    assert slim.values is None
    assert full.values == {"n": 1}
