"""Finding threads and assistants."""

from __future__ import annotations

import uuid
from typing import Any

from runyard.generated.models import AssistantSearchRequest, ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.storage.port.storage import Storage

from .making import claim, ending, failing, put, stateless


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
    drafts = []
    for number in range(4):
        draft = await put(storage, stateless(thread_metadata=metadata_of(number)))
        drafts.append(draft)
        lease = (await claim(storage, "worker", draft)).lease
        values = f'{{"n": {number}, "text": "{"ab"[number % 2]}"}}'.encode()
        match number:
            case 0:
                await storage.queue.finish(ending(lease, values=values))
            case 1:
                await storage.queue.finish(failing(lease, values=values))
            case 2:
                await storage.queue.finish(ending(lease, values=values, paused=True))
    return [draft.thread_id for draft in drafts]


async def test_threads_are_found_by_status_metadata_values_and_ids(storage: Storage) -> None:
    threads = await threads_of_all_kinds(storage)

    async def found(**asked: Any) -> list[int]:
        request = ThreadSearchRequest(**asked)
        rows = await storage.threads.search(request, limit=10, offset=0)
        numbers = [threads.index(thread.thread_id) for thread in rows]
        if "ids" not in asked:
            assert await storage.threads.count(ThreadCountRequest(**asked)) == len(numbers)
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


async def test_pages_of_threads_follow_each_other(storage: Storage) -> None:
    drafts = [await put(storage, stateless()) for _ in range(7)]
    wanted = [draft.thread_id for draft in drafts]
    for order in ("asc", "desc"):
        request = ThreadSearchRequest(sort_by="created_at", sort_order=order)  # type: ignore[arg-type]
        pages = [await storage.threads.search(request, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
        assert [len(page) for page in pages] == [3, 3, 1, 0]
        assert [thread.thread_id for page in pages for thread in page] == wanted
        wanted.reverse()


async def test_threads_are_sorted_by_what_is_asked_for(storage: Storage) -> None:
    threads = await threads_of_all_kinds(storage)
    await put(storage, stateless())
    for column in ("thread_id", "status", "created_at", "updated_at"):
        for order in ("asc", "desc"):
            request = ThreadSearchRequest(ids=threads, sort_by=column, sort_order=order)  # type: ignore[arg-type]
            keys = [getattr(thread, column) for thread in await storage.threads.search(request, limit=9, offset=0)]
            assert keys == sorted(keys, reverse=order == "desc")
            assert len(keys) == 4


async def test_what_a_thread_shows(storage: Storage) -> None:
    draft = await put(storage, stateless(thread_metadata=metadata_of(1)))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert thread.metadata == metadata_of(1)
    assert thread.values is None
    assert await storage.threads.values(draft.thread_id) is None
    assert thread.created_at <= thread.updated_at
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease))
    after = await storage.threads.get(draft.thread_id)
    assert after is not None
    assert after.created_at == thread.created_at
    assert after.updated_at > thread.updated_at
    assert after.state_updated_at is not None
    assert thread.state_updated_at is not None
    assert after.state_updated_at > thread.state_updated_at
    assert await storage.threads.values(draft.thread_id) == b'{"n":111}'
    assert await storage.threads.get(str(uuid.uuid4())) is None
    assert await storage.threads.graph_ids(str(uuid.uuid4())) is None


async def test_each_graph_has_a_default_assistant_that_stays(storage: Storage) -> None:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    graphs = [(ids[0], "chain", None), (ids[1], "echo", "Says it again."), (ids[2], "Chained", None)]
    await storage.assistants.ensure_system(graphs)
    before = await storage.assistants.get(ids[1])
    await storage.assistants.ensure_system([(ids[1], "echo", "Says it twice.")])
    after = await storage.assistants.get(ids[1])
    assert before is not None
    assert after is not None
    assert (before.name, before.graph_id, before.description) == ("echo", "echo", "Says it again.")
    assert (after.description, after.created_at, after.version) == ("Says it twice.", before.created_at, 1)
    assert after.metadata == {"created_by": "system"}
    assert await storage.assistants.get(str(uuid.uuid4())) is None

    async def found(limit: int = 10, offset: int = 0, **asked: Any) -> list[str]:
        rows = await storage.assistants.search(AssistantSearchRequest(**asked), limit=limit, offset=offset)
        return [assistant.graph_id for assistant in rows]

    assert sorted(await found()) == ["Chained", "chain", "echo"]
    assert await found(graph_id="chain") == ["chain"]
    assert sorted(await found(name="CHAIN")) == ["Chained", "chain"]
    assert await found(metadata={"created_by": "user"}) == []
    assert len(await found(metadata={"created_by": "system"})) == 3
    assert len(await found(limit=2)) == 2
    assert len(await found(limit=2, offset=2)) == 1
    assert await found(sort_by="name", sort_order="asc") == sorted(await found())
