"""Crons: kept, looked for, due, and deleted."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from runyard.generated.models import CronSearch
from runyard.runtime.errors import Forbidden, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.crons import StoredCron
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread

from .backends import Backend
from .builders import ASSISTANT, claim, finish_request, idle_thread, insert, stateless
from .crons import LONG_AGO, SECOND, count, create, due_ids, fire, firing, new_cron, search, unchanged
from .owned import ANN, BOB, EVERYTHING

# Kept


@pytest.mark.plain
async def test_a_cron_is_kept_as_it_was_made(storage: Storage) -> None:
    cron = new_cron(timezone="Europe/Vienna", end_time=LONG_AGO * 3, metadata={"k": [1]}, enabled=False)
    created = await storage.crons.create(Scope(identity="ann"), cron, unchanged)
    assert created == replace(
        cron, creator="ann", revision=0, created_at=created.created_at, updated_at=created.created_at
    )
    assert created.created_at > LONG_AGO
    assert await storage.crons.get(EVERYTHING, cron.cron_id) == created
    assert await storage.crons.get(EVERYTHING, str(uuid.uuid4())) is None
    assert await storage.crons.delete(EVERYTHING, cron.cron_id)
    assert not await storage.crons.delete(EVERYTHING, cron.cron_id)
    assert await storage.crons.get(EVERYTHING, cron.cron_id) is None


async def test_the_time_of_day_says_when_a_cron_is_due_next(storage: Storage) -> None:
    def in_an_hour(cron: StoredCron, time: int) -> StoredCron:
        return replace(cron, next_due=time + 3600 * SECOND)

    cron = await storage.crons.create(EVERYTHING, new_cron(), in_an_hour)
    assert cron.next_due == cron.created_at + 3600 * SECOND
    due = await storage.crons.due(10)
    assert due.crons == []
    assert due.seconds is not None
    assert 3590 < due.seconds <= 3600
    changed = await storage.crons.change(EVERYTHING, cron.cron_id, lambda cron, time: replace(cron, next_due=time))
    assert changed is not None
    assert (changed.revision, changed.created_at) == (1, cron.created_at)
    assert changed.updated_at >= cron.updated_at
    assert await due_ids(storage) == [cron.cron_id]
    assert await storage.crons.change(EVERYTHING, str(uuid.uuid4()), unchanged) is None


async def test_a_cron_needs_its_thread(storage: Storage) -> None:
    nowhere = str(uuid.uuid4())
    with pytest.raises(NotFound, match=rf"Thread with ID '{nowhere}' not found"):
        await create(storage, thread_id=nowhere)
    assert await count(storage) == 0


async def test_a_thread_with_a_cron_outlives_the_run_that_it_was_made_for(storage: Storage) -> None:
    new_run = await insert(storage, stateless(temporary=True))
    cron = new_cron(thread_id=new_run.thread_id, on_run_completed=None)
    await storage.crons.create(EVERYTHING, cron, unchanged, Expiry("delete", 5.0))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.finish(finish_request(lease, temporary=True))
    thread = await storage.threads.get(EVERYTHING, new_run.thread_id)
    assert thread is not None
    assert thread.ttl is not None
    assert thread.ttl.ttl_minutes == 5.0


# Looked for


async def test_crons_are_found_by_what_they_are(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    other = str(uuid.uuid4())
    a = await create(storage, metadata={"team": "red", "n": {"deep": 1}}, end_time=LONG_AGO * 4)
    b = await create(storage, thread_id=thread_id, metadata={"team": "red"}, next_due=LONG_AGO - 5)
    c = await create(storage, assistant_id=other, enabled=False, next_due=LONG_AGO + 5)
    ids = [c.cron_id, b.cron_id, a.cron_id]
    assert await search(storage) == ids, "newest first"
    assert await search(storage, sort_order="asc", limit=2) == ids[:0:-1]
    assert await search(storage, offset=1, limit=1) == [b.cron_id]
    assert await search(storage, sort_by="next_run_date", sort_order="asc") == [b.cron_id, a.cron_id, c.cron_id]
    assert await search(storage, thread_id=thread_id) == [b.cron_id]
    assert await search(storage, assistant_id=other) == [c.cron_id]
    assert await search(storage, enabled=True) == ids[1:]
    assert await search(storage, enabled=False) == [c.cron_id]
    assert await search(storage, metadata={"n": {"deep": 1}}) == [a.cron_id]
    for column in ("cron_id", "assistant_id", "thread_id", "end_time", "updated_at"):
        assert sorted(await search(storage, sort_by=column)) == sorted(ids)
    assert await count(storage) == 3
    assert await count(storage, metadata={"team": "red"}) == 2
    assert await count(storage, thread_id=thread_id, assistant_id=ASSISTANT) == 1


async def test_crons_outside_a_scope_are_as_if_they_were_not_there(storage: Storage) -> None:
    mine = await create(storage, ANN, metadata={"owner": "ann"})
    await create(storage, BOB, metadata={"owner": "bob"})
    assert mine.creator == "ann"
    assert await storage.crons.get(BOB, mine.cron_id) is None
    assert await storage.crons.change(BOB, mine.cron_id, unchanged) is None
    assert not await storage.crons.delete(BOB, mine.cron_id)
    found = await storage.crons.search(BOB, CronSearch(), limit=9, offset=0)
    assert [cron.creator for cron in found] == ["bob"]
    assert await count(storage, ANN) == 1
    with pytest.raises(Forbidden, match="out of your reach"):
        await storage.crons.change(ANN, mine.cron_id, lambda cron, time: replace(cron, metadata={"owner": "bob"}))
    assert await storage.crons.get(ANN, mine.cron_id) == mine
    thread_id = str(uuid.uuid4())
    await storage.threads.create(ANN, NewThread(thread_id=thread_id, metadata={"owner": "ann"}), "raise")
    with pytest.raises(NotFound):
        await create(storage, BOB, thread_id=thread_id, metadata={"owner": "bob"})


async def test_no_cron_is_changed_whose_thread_is_out_of_reach(storage: Storage) -> None:
    thread_id = str(uuid.uuid4())
    await storage.threads.create(ANN, NewThread(thread_id=thread_id, metadata={"owner": "ann"}), "raise")
    cron = await create(storage, thread_id=thread_id)
    for threads, there in ((BOB, False), (ANN, True)):
        scope = Scope(beside={("threads", None): threads})
        if there:
            assert await storage.crons.change(scope, cron.cron_id, unchanged)
        else:
            with pytest.raises(NotFound, match="Thread with ID"):
                await storage.crons.change(scope, cron.cron_id, unchanged)


# Due


async def test_only_enabled_crons_are_due_and_the_longest_due_first(storage: Storage) -> None:
    late = await create(storage, next_due=LONG_AGO - SECOND)
    cron = await create(storage)
    await create(storage, enabled=False)
    await create(storage, next_due=None)
    await create(storage, next_due=LONG_AGO * 10)
    due = await storage.crons.due(10)
    assert [each.cron_id for each in due.crons] == [late.cron_id, cron.cron_id]
    assert due.seconds == 0.0
    assert due.now > LONG_AGO
    assert [each.cron_id for each in (await storage.crons.due(1)).crons] == [late.cron_id]


async def test_crons_that_were_timed_later_than_now_are_named(storage: Storage) -> None:
    """Somebody has set the time of day back."""
    tomorrow = (await storage.crons.due(1)).now + 86_400 * SECOND
    ahead = await create(storage, next_due=tomorrow + SECOND, timed_at=tomorrow)
    await create(storage, next_due=tomorrow, timed_at=tomorrow, enabled=False)
    await create(storage, next_due=tomorrow, timed_at=LONG_AGO)
    assert (await storage.crons.due(10)).misdated == [ahead]
    await storage.crons.change(EVERYTHING, ahead.cron_id, lambda cron, time: replace(cron, timed_at=time))
    assert (await storage.crons.due(10)).misdated == []


async def test_without_crons_nothing_is_waited_for(storage: Storage) -> None:
    assert (await storage.crons.due(10)).seconds is None


# Deleted


async def test_a_thread_takes_its_crons_along(
    storage: Storage, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = await idle_thread(storage)
    for _ in range(5):
        await create(storage, thread_id=thread_id)
    stays = await create(storage)
    await fire(storage, firing(stays))
    for name, value in backend.small_steps.items():
        monkeypatch.setattr(name, value)
    await storage.threads.delete(EVERYTHING, [thread_id])
    while (await storage.threads.remove_leftovers()).more:
        pass
    assert await search(storage) == [stays.cron_id]


async def test_an_assistant_takes_its_crons_along_unless_it_is_there_again_at_once(
    storage: Storage, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = DefaultAssistant(ASSISTANT, "chain", "chain", None)
    await storage.assistants.ensure_system([default])
    for _ in range(5):
        await create(storage)
    stays = await create(storage, assistant_id=str(uuid.uuid4()))
    await storage.assistants.delete(EVERYTHING, ASSISTANT, threads=0, renewed=default)
    assert await count(storage) == 6
    for name, value in backend.small_steps.items():
        monkeypatch.setattr(name, value)
    steps = 0
    deleted = None
    while deleted is None or not deleted.finished:
        deleted = await storage.assistants.delete(EVERYTHING, ASSISTANT, threads=0)
        assert deleted is not None
        steps += 1
    assert steps > 1
    assert await search(storage) == [stays.cron_id]
