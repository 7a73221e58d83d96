"""Threads as clients edit them: made, changed, copied, pruned, deleted."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from runyard.runtime.errors import Conflict, LeaseLost, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import NewBlob
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint, StoredBlob
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread, StateEdit, StoredChannel

from .builders import checkpoint_row, claim, finish_request, idle_thread, insert, on_thread, stateless, write_row

METADATA = {"owner": "ada", "nested": {"a": {"b": 1}}, "list": [1], "nothing": None}
SECOND = 1 / 60
"""In minutes, the unit of lifetimes."""


def edit(thread_id: str, checkpoint_id: str = "1", **changes: Any) -> StateEdit:
    given: dict[str, Any] = {
        "rows": [checkpoint_row(thread_id, checkpoint_id), write_row(thread_id, checkpoint_id)],
        "base": "",
        "values": b'{"n": 5}',
        "interrupts": b"{}",
        "paused": False,
    }
    return StateEdit(**{**given, **changes})


async def make(storage: Storage, **changes: Any) -> str:
    new_thread = NewThread(**{"thread_id": str(uuid.uuid4()), "metadata": {}, **changes})
    return (await storage.threads.create(Scope.everything(), new_thread, "raise")).thread_id


async def history(storage: Storage, thread_id: str) -> list[str]:
    return [item.checkpoint_id for item in await storage.checkpoints.history(thread_id, None, before=None, limit=None)]


async def test_a_thread_is_made_once(storage: Storage) -> None:
    new_thread = NewThread(thread_id=str(uuid.uuid4()), metadata={"a": 1, "graph_id": "chain"})
    thread = await storage.threads.create(Scope.everything(), new_thread, "raise")
    assert (thread.status, thread.metadata, thread.values, thread.config) == ("idle", new_thread.metadata, None, {})
    assert await storage.threads.get(Scope.everything(), new_thread.thread_id) == thread
    assert await storage.threads.graph_ids(Scope.everything(), new_thread.thread_id) == ["chain"], (
        "which its metadata names"
    )
    again = NewThread(thread_id=new_thread.thread_id, metadata={"b": 2}, edit=edit(new_thread.thread_id))
    with pytest.raises(Conflict, match="already exists"):
        await storage.threads.create(Scope.everything(), again, "raise")
    assert await storage.threads.create(Scope.everything(), again, "do_nothing") == thread
    assert await history(storage, new_thread.thread_id) == []


async def test_a_thread_is_made_with_its_first_state(storage: Storage) -> None:
    thread_id = str(uuid.uuid4())
    await make(storage, thread_id=thread_id, edit=edit(thread_id, paused=True, interrupts=b'{"t": []}'))
    thread = await storage.threads.get(Scope.everything(), thread_id)
    assert thread is not None
    assert (thread.status, thread.values, thread.interrupts) == ("interrupted", {"n": 5}, {"t": []})
    assert await history(storage, thread_id) == ["1"]


async def test_a_patch_merges_at_the_top_level(storage: Storage) -> None:
    thread_id = await make(storage, metadata={"a": 1, "deep": {"x": 1}})
    before = await storage.threads.get(Scope.everything(), thread_id)
    thread = await storage.threads.patch(Scope.everything(), thread_id, {"b": 2, "deep": {"y": 2}}, None)
    assert thread is not None
    assert before is not None
    assert thread.metadata == {"a": 1, "b": 2, "deep": {"y": 2}}
    assert thread.updated_at > before.updated_at
    assert thread.state_updated_at == before.state_updated_at
    assert await storage.threads.patch(Scope.everything(), str(uuid.uuid4()), {}, None) is None


async def test_deleting_takes_everything_along(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    waiting = await insert(storage, on_thread(new_run.thread_id))
    later = await insert(storage, on_thread(new_run.thread_id, delay=1000.0))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.events.append(lease, [NewEvents(2, b"events")])
    await storage.checkpoints.append(lease, [checkpoint_row(new_run.thread_id, "1"), write_row(new_run.thread_id, "1")])
    other = await idle_thread(storage)

    removed = await storage.threads.delete(Scope.everything(), [new_run.thread_id, str(uuid.uuid4()), other])
    assert removed.threads == [new_run.thread_id, other]
    assert sorted(removed.runs) == sorted(run.run_id for run in (new_run, waiting, later)), "those under way"
    assert await storage.threads.get(Scope.everything(), new_run.thread_id) is None
    assert await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id) is None
    assert await storage.events.read(new_run.run_id, 0, size=1000) == []
    assert await history(storage, new_run.thread_id) == []
    assert await storage.checkpoints.blobs(new_run.thread_id, "", {"log": "1"}) == {}
    with pytest.raises(LeaseLost):
        await storage.queue.finish(finish_request(lease))
    assert await storage.queue.claim("worker", limit=9, interactive=9) == []


async def test_a_copy_has_the_state_and_no_runs(storage: Storage) -> None:
    source = await idle_thread(storage)
    await storage.threads.edit_state(Scope.everything(), source, edit(source, paused=True))
    running = await insert(storage, on_thread(source))
    copied = await storage.threads.copy(Scope.everything(), source, target := str(uuid.uuid4()))
    original = await storage.threads.get(Scope.everything(), source)
    assert copied is not None
    assert original is not None
    assert original.status == "busy"
    assert (copied.thread_id, copied.status, copied.values) == (target, "interrupted", {"n": 5})
    assert copied.metadata == original.metadata
    assert copied.created_at > original.created_at
    assert await history(storage, target) == await history(storage, source) == ["1"]
    assert await storage.runs.of_thread(Scope.everything(), target, limit=9, offset=0, status=None) == []
    await storage.threads.delete(Scope.everything(), [source])
    assert await history(storage, target) == ["1"]
    assert await storage.checkpoints.blobs(target, "", {"log": "1"}) == {"log": StoredBlob("msgpack", b"blob")}
    assert running.thread_id == source
    assert await storage.threads.copy(Scope.everything(), source, str(uuid.uuid4())) is None


async def test_an_edit_needs_a_thread_at_rest(storage: Storage) -> None:
    thread_id = await make(storage)
    with pytest.raises(NotFound):
        await storage.threads.edit_state(Scope.everything(), "none", edit("none"))
    new_run = await insert(storage, on_thread(thread_id))
    with pytest.raises(Conflict, match=new_run.run_id):
        await storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id))
    lease = (await claim(storage, "worker", new_run)).lease
    with pytest.raises(Conflict, match=new_run.run_id):
        await storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id))
    await storage.queue.finish(finish_request(lease))
    assert await history(storage, thread_id) == []
    await storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id))
    thread = await storage.threads.get(Scope.everything(), thread_id)
    assert thread is not None
    assert (thread.status, thread.values) == ("idle", {"n": 5})


async def test_an_edit_names_the_state_that_it_knew(storage: Storage) -> None:
    thread_id = await make(storage)
    answers = await asyncio.gather(
        *(storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id, name)) for name in "123"),
        return_exceptions=True,
    )
    (first,) = (name for name, answer in zip("123", answers, strict=True) if answer is None)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 2
    assert await history(storage, thread_id) == [first], "nothing of a refused edit is written"
    await storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id, "4", base=first))
    await storage.threads.edit_state(Scope.everything(), thread_id, edit(thread_id, "5", base=None))
    assert await history(storage, thread_id) == ["5", "4", first]


async def test_dropping_a_history(storage: Storage) -> None:
    thread_id = await make(storage)
    rows = [checkpoint_row(thread_id, name, blobs=[NewBlob("log", name, "msgpack", b"blob")]) for name in "123"]
    rows.append(checkpoint_row(thread_id, "9", ns="child"))
    await storage.threads.edit_state(
        Scope.everything(), thread_id, edit(thread_id, rows=[*rows, write_row(thread_id, "1")])
    )
    assert sorted(await storage.checkpoints.namespaces(thread_id)) == ["", "child"]
    kept = [KeptCheckpoint("", "3", {"log": "3"})]
    assert not await storage.threads.keep_latest(Scope.everything(), thread_id, "2", kept), "it is not the latest"
    new_run = await insert(storage, on_thread(thread_id))
    assert not await storage.threads.keep_latest(Scope.everything(), thread_id, "3", kept), "a run is under way"
    assert await history(storage, thread_id) == ["9", "3", "2", "1"]
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    assert await storage.threads.keep_latest(Scope.everything(), thread_id, "3", kept)
    assert await history(storage, thread_id) == ["3"]
    blobs = [await storage.checkpoints.blobs(thread_id, "", {"log": name}) for name in "123"]
    assert [bool(found) for found in blobs] == [False, False, True]
    assert not await storage.threads.keep_latest(Scope.everything(), str(uuid.uuid4()), "", [])


async def test_threads_expire_after_their_last_change(storage: Storage) -> None:
    expired = await make(storage, expiry=Expiry("delete", 0))
    lasting = await make(storage, expiry=Expiry("delete", 60 * SECOND))
    pruned = await make(storage, expiry=Expiry("keep_latest", 0))
    busy = await make(storage, expiry=Expiry("delete", 0))
    await insert(storage, on_thread(busy))
    shown = await storage.threads.get(Scope.everything(), lasting)
    assert shown is not None
    assert shown.ttl is not None
    assert (shown.ttl.strategy, shown.ttl.ttl_minutes) == ("delete", 60 * SECOND)
    assert shown.ttl.expires_at is not None
    assert shown.ttl.expires_at > shown.updated_at

    assert (await storage.threads.delete_expired(10)).threads == [expired]
    assert (await storage.threads.delete_expired(10)).threads == []
    assert await storage.threads.history_expired(10) == [pruned]
    assert await storage.threads.keep_latest(Scope.everything(), pruned, "", [])
    assert await storage.threads.history_expired(10) == [], "not again for the same state"
    await storage.threads.edit_state(Scope.everything(), pruned, edit(pruned))
    assert await storage.threads.history_expired(10) == [pruned]
    await storage.threads.patch(Scope.everything(), lasting, None, Expiry("keep_latest", 0))
    assert sorted(await storage.threads.history_expired(10)) == sorted([lasting, pruned])
    assert len(await storage.threads.history_expired(1)) == 1


@pytest.mark.plain
async def test_what_a_thread_occupies(storage: Storage) -> None:
    thread_id = await make(storage)
    rows = [checkpoint_row(thread_id, name, blobs=[NewBlob("log", name, "msgpack", b"12345")]) for name in "12"]
    await storage.threads.edit_state(
        Scope.everything(), thread_id, edit(thread_id, rows=[*rows, write_row(thread_id, "1", data=b"123")])
    )

    def read(kind: str, data: bytes) -> dict[str, StoredChannel]:
        return {"n": StoredChannel("7", 4), "log": StoredChannel(data.decode()[-1], 0)}

    usage = await storage.threads.usage(Scope.everything(), thread_id, read)
    assert usage is not None
    assert usage.checkpoints.count == 2
    assert (usage.channel_values.count, usage.channel_values.bytes) == (3, 14)
    sizes = {name: (size.versions, size.bytes) for name, size in usage.channel_values.by_channel.items()}
    assert sizes == {"n": (1, 4), "log": (2, 10)}
    assert (usage.pending_writes.count, usage.pending_writes.bytes) == (1, 3)
    assert usage.total_bytes == usage.checkpoints.bytes + 14 + 3
    assert await storage.threads.usage(Scope.everything(), str(uuid.uuid4()), read) is None


async def test_what_a_thread_shows(storage: Storage) -> None:
    new_run = await insert(storage, stateless(thread_metadata=METADATA))
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert thread is not None
    assert thread.metadata == METADATA
    assert thread.values is None
    assert await storage.threads.values(Scope.everything(), new_run.thread_id) is None
    assert thread.created_at <= thread.updated_at
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    after = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert after is not None
    assert after.created_at == thread.created_at
    assert after.updated_at > thread.updated_at
    assert after.state_updated_at is not None
    assert thread.state_updated_at is not None
    assert after.state_updated_at > thread.state_updated_at
    assert await storage.threads.values(Scope.everything(), new_run.thread_id) == b'{"n":111}'
    assert await storage.threads.get(Scope.everything(), str(uuid.uuid4())) is None
    assert await storage.threads.graph_ids(Scope.everything(), str(uuid.uuid4())) is None


DAY = Expiry("keep_latest", 1440)


async def lifetime(storage: Storage, thread_id: str) -> tuple[str | None, float | None] | None:
    thread = await storage.threads.get(Scope.everything(), thread_id)
    assert thread is not None
    return None if thread.ttl is None else (thread.ttl.strategy, thread.ttl.ttl_minutes)


async def test_threads_that_runs_make_or_keep_have_the_runs_lifetime(storage: Storage) -> None:
    made = await insert(storage, on_thread(str(uuid.uuid4()), create_thread=True, expiry=DAY))
    assert await lifetime(storage, made.thread_id) == ("keep_latest", 1440)
    kept = await insert(storage, stateless(temporary=False, expiry=DAY))
    assert await lifetime(storage, kept.thread_id) == ("keep_latest", 1440)
    temporary = await insert(storage, stateless(temporary=True))
    assert await lifetime(storage, temporary.thread_id) is None
    await insert(storage, on_thread(temporary.thread_id, expiry=DAY))
    assert await lifetime(storage, temporary.thread_id) == ("keep_latest", 1440), "a second run keeps it"


async def test_a_run_changes_no_lifetime_that_a_thread_has(storage: Storage) -> None:
    own = await make(storage, expiry=Expiry("delete", 5))
    without = await make(storage)
    await insert(storage, on_thread(own, expiry=DAY), on_thread(without, expiry=DAY))
    assert await lifetime(storage, own) == ("delete", 5)
    assert await lifetime(storage, without) is None


async def test_a_copy_has_a_lifetime_of_its_own(storage: Storage) -> None:
    source = await make(storage, expiry=Expiry("delete", 5))
    for expiry, expected in ((None, None), (DAY, ("keep_latest", 1440))):
        copied = await storage.threads.copy(Scope.everything(), source, str(uuid.uuid4()), expiry)
        assert copied is not None
        assert await lifetime(storage, copied.thread_id) == expected
