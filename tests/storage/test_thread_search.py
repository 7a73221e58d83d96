"""Finding threads: what each filter means, pages and orders, and that a search finds what a walk through all threads
would find, whatever leads it."""

from __future__ import annotations

import random
import uuid
from dataclasses import replace
from typing import Any

import pytest

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread, StateEdit

from .backends import Backend
from .builders import claim, failed_request, finish_request, insert, on_thread, stateless

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
        and not (request.exclude_metadata and contained(request.exclude_metadata, thread.metadata))
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
            await storage.runs.insert(Scope.everything(), [temporary])
        else:
            values = f'{{"n": {rnd.randrange(3)}, "t": "{rnd.choice("xy")}", "deep": {{"b": true}}}}'.encode()
            edit = StateEdit(rows=[], base=None, values=values, interrupts=b"{}", paused=number % 4 == 0)
            new_thread = NewThread(thread_id=thread_id, metadata=metadata, edit=edit if number % 3 else None)
            await storage.threads.create(Scope.everything(), new_thread, "raise")
        made.append(thread_id)
    for thread_id in rnd.sample(made, 30):
        await storage.threads.patch(Scope.everything(), thread_id, {"user": rnd.choice(VALUES), "new": "word"}, None)
    await storage.runs.insert(Scope.everything(), [on_thread(thread_id) for thread_id in rnd.sample(made, 5)])
    await storage.threads.delete(Scope.everything(), rnd.sample(made, 10))
    found = [await storage.threads.get(Scope.everything(), thread_id) for thread_id in made]
    return [thread for thread in found if thread is not None]


def ask(rnd: random.Random, threads: list[Thread]) -> ThreadSearchRequest:
    request = ThreadSearchRequest(limit=rnd.choice([1, 5, 1000]), offset=rnd.choice([0, 0, 3]))
    if rnd.random() < 0.7:
        keys = rnd.sample([*KEYS, "new", "number"], rnd.choice([1, 1, 2]))
        request.metadata = {key: rnd.choice([*VALUES, "word", 5]) for key in keys}
    if rnd.random() < 0.3:
        request.exclude_metadata = {rnd.choice([*KEYS, "new"]): rnd.choice([*VALUES, "word"])}
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


@pytest.mark.plain
@pytest.mark.parametrize("as_among_many", [False, True])
async def test_a_search_finds_what_looking_at_each_thread_finds(
    storage: Storage, backend: Backend, as_among_many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if as_among_many:
        for name, value in backend.search_thresholds.items():
            monkeypatch.setattr(name, value)
    rnd = random.Random(as_among_many)
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
        found = await storage.threads.search(Scope.everything(), request, limit=request.limit, offset=request.offset)
        assert [thread.thread_id for thread in found] == [thread.thread_id for thread in wanted[page]], request
        hits += len(found)
        if not request.ids:
            count = ThreadCountRequest(
                metadata=request.metadata,
                exclude_metadata=request.exclude_metadata,
                values=request.values,
                status=request.status,
            )
            assert await storage.threads.count(Scope.everything(), count) == len(wanted), request
    assert hits > 1000


async def test_a_list_without_values_need_not_read_them(storage: Storage) -> None:
    edit = StateEdit(rows=[], base=None, values=b'{"n": 1}', interrupts=b"{}", paused=False)
    await storage.threads.create(
        Scope.everything(), NewThread(thread_id=str(uuid.uuid4()), metadata={}, edit=edit), "raise"
    )
    request = ThreadSearchRequest(select=["thread_id", "status"])
    (slim,) = await storage.threads.search(Scope.everything(), request, limit=1, offset=0)
    (full,) = await storage.threads.search(
        Scope.everything(), replace(request, extract={"n": "values.n"}), limit=1, offset=0
    )
    assert slim.values is None
    assert full.values == {"n": 1}


def metadata_of(number: int) -> dict[str, Any]:
    return {
        "owner": "ada" if number % 2 else "bob",
        "number": number,
        "flag": number == 1,
        "nested": {"a": {"b": number}, "other": 1},
        "list": [number],
        "nothing": None,
        'odd "key".x': "odd",
    }


async def threads_of_all_kinds(storage: Storage) -> list[str]:
    """Four threads, oldest first: idle, error, interrupted, busy."""
    new_runs = []
    for number in range(4):
        new_run = await insert(storage, stateless(thread_metadata=metadata_of(number)))
        new_runs.append(new_run)
        lease = (await claim(storage, "worker", new_run)).lease
        values = f'{{"n": {number}, "text": "{"ab"[number % 2]}"}}'.encode()
        match number:
            case 0:
                await storage.queue.finish(finish_request(lease, values=values))
            case 1:
                await storage.queue.finish(failed_request(lease, values=values))
            case 2:
                await storage.queue.finish(finish_request(lease, values=values, paused=True))
    return [new_run.thread_id for new_run in new_runs]


@pytest.mark.plain
async def test_threads_are_found_by_status_metadata_values_and_ids(storage: Storage) -> None:
    threads = await threads_of_all_kinds(storage)

    async def found(**asked: Any) -> list[int]:
        request = ThreadSearchRequest(**asked)
        rows = await storage.threads.search(Scope.everything(), request, limit=10, offset=0)
        numbers = [threads.index(thread.thread_id) for thread in rows]
        if "ids" not in asked:
            assert await storage.threads.count(Scope.everything(), ThreadCountRequest(**asked)) == len(numbers)
        return numbers

    assert await found() == [3, 2, 1, 0], "the newest first"
    for number, status in enumerate(("idle", "error", "interrupted", "busy")):
        assert await found(status=status) == [number]
    assert await found(metadata={"owner": "ada"}) == [3, 1]
    assert await found(metadata={"owner": "ada", "number": 1}) == [1]
    assert await found(metadata={"number": 1.0}) == [1]
    assert await found(metadata={"flag": True}) == [1]
    assert await found(metadata={"number": True}) == [], "true is not 1"
    assert await found(metadata={"nested": {"a": {"b": 2}}}) == [2]
    assert await found(metadata={"nested": {"a": {}}}) == [3, 2, 1, 0]
    assert await found(metadata={"list": [3]}) == [3]
    assert await found(metadata={"nothing": None}) == [3, 2, 1, 0]
    assert await found(metadata={"absent": None}) == []
    assert await found(metadata={'odd "key".x': "odd"}) == [3, 2, 1, 0]
    assert await found(metadata={"owner": "Ada"}) == []
    assert await found(metadata={}) == [3, 2, 1, 0]
    assert await found(values={"n": 2}) == [2]
    assert await found(values={"text": "a"}) == [2, 0]
    assert await found(values={"n": 3}) == [], "it has no values yet"
    assert await found(status="error", metadata={"owner": "bob"}) == []
    assert await found(ids=[threads[2], threads[0], str(uuid.uuid4())]) == [2, 0]


async def test_threads_with_certain_metadata_are_left_out(storage: Storage) -> None:
    threads = await threads_of_all_kinds(storage)

    async def left(unwanted: dict[str, Any], **asked: Any) -> list[int]:
        request = ThreadSearchRequest(exclude_metadata=unwanted, **asked)
        rows = await storage.threads.search(Scope.everything(), request, limit=10, offset=0)
        count = ThreadCountRequest(exclude_metadata=unwanted, **asked)
        assert await storage.threads.count(Scope.everything(), count) == len(rows)
        return [threads.index(thread.thread_id) for thread in rows]

    assert await left({"owner": "ada"}) == [2, 0]
    assert await left({"owner": "ada", "number": 1}) == [3, 2, 0], "only what has both"
    assert await left({"flag": True}) == [3, 2, 0]
    assert await left({"nested": {"a": {"b": 2}}}) == [3, 1, 0]
    assert await left({"list": [3], "owner": "ada"}) == [2, 1, 0]
    assert await left({"absent": 1}) == [3, 2, 1, 0], "what is not there is not excluded"
    assert await left({"absent": None}) == [3, 2, 1, 0]
    assert await left({}) == [3, 2, 1, 0]
    assert await left({"number": 3}, metadata={"owner": "ada"}) == [1]


async def test_pages_of_threads_follow_each_other(storage: Storage) -> None:
    new_runs = [await insert(storage, stateless()) for _ in range(7)]
    wanted = [new_run.thread_id for new_run in new_runs]
    for order in ("asc", "desc"):
        request = ThreadSearchRequest(sort_by="created_at", sort_order=order)
        pages = [
            await storage.threads.search(Scope.everything(), request, limit=3, offset=offset) for offset in (0, 3, 6, 9)
        ]
        assert [len(page) for page in pages] == [3, 3, 1, 0]
        assert [thread.thread_id for page in pages for thread in page] == wanted
        wanted.reverse()


async def test_threads_are_sorted_by_what_is_asked_for(storage: Storage) -> None:
    threads = await threads_of_all_kinds(storage)
    await insert(storage, stateless())
    for column in ("thread_id", "status", "created_at", "updated_at"):
        for order in ("asc", "desc"):
            request = ThreadSearchRequest(ids=threads, sort_by=column, sort_order=order)
            keys = [
                getattr(thread, column)
                for thread in await storage.threads.search(Scope.everything(), request, limit=9, offset=0)
            ]
            assert keys == sorted(keys, reverse=order == "desc")
            assert len(keys) == 4


async def test_a_filter_may_have_hundreds_of_keys(storage: Storage) -> None:
    metadata = {f"key {number}": number % 7 for number in range(500)}
    thread_id = str(uuid.uuid4())
    await storage.threads.create(Scope.everything(), NewThread(thread_id=thread_id, metadata=metadata), "raise")
    for wanted, count in ((metadata, 1), ({**metadata, "key 499": "other"}, 0)):
        assert await storage.threads.count(Scope.everything(), ThreadCountRequest(metadata=wanted)) == count
        assert (
            len(
                await storage.threads.search(
                    Scope.everything(), ThreadSearchRequest(metadata=wanted), limit=9, offset=0
                )
            )
            == count
        )
