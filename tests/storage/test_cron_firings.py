"""Crons are fired once for each moment, whoever tries."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.crons import Fired, Firing
from runyard.runtime.storage.port.storage import Storage

from .backends import Backend
from .builders import idle_thread, insert, on_thread, run_status
from .calls import Call, Outcome, call, done
from .conftest import Open
from .crons import LONG_AGO, SECOND, create, due_ids, fire, firing, run_of
from .owned import EVERYTHING
from .races import ROUNDS, Race, Track

# Fired


async def test_a_firing_makes_the_run_and_moves_the_cron_on(storage: Storage) -> None:
    cron = await create(storage, Scope(identity="ann"))
    now = (await storage.crons.due(1)).now
    (fired,) = await fire(storage, firing(cron, next_due=now + 3600 * SECOND))
    assert fired.inserted is not None
    assert fired.inserted.ready == 1
    assert fired.firing.new_run is not None
    assert await run_status(storage, fired.firing.new_run) == "pending"
    after = await storage.crons.get(EVERYTHING, cron.cron_id)
    assert after is not None
    assert after == replace(cron, next_due=now + 3600 * SECOND, timed_at=after.timed_at)
    assert after.timed_at >= now
    assert await due_ids(storage) == []


async def test_a_moment_is_fired_once_whoever_tries(storage: Storage, another: Open) -> None:
    """Two schedulers have read the same; so has one whose answer was lost."""
    cron = await create(storage)
    first, second = firing(cron), firing(cron)
    assert len(await fire(storage, first)) == 1
    assert await fire(another(), second) == []
    assert second.new_run is not None
    assert await run_status(storage, second.new_run) is None


async def test_a_moment_that_comes_again_makes_no_second_run(storage: Storage) -> None:
    """Somebody has set the time of day back, and changed the cron."""
    cron = await create(storage)
    await fire(storage, firing(cron))
    again = await storage.crons.change(EVERYTHING, cron.cron_id, lambda cron, time: replace(cron, next_due=LONG_AGO))
    assert again is not None
    repeated = firing(again)
    assert await fire(storage, repeated) == []
    assert repeated.new_run is not None
    assert await run_status(storage, repeated.new_run) is None
    after = await storage.crons.get(EVERYTHING, cron.cron_id)
    assert after is not None
    assert after.next_due == LONG_AGO + SECOND, "it goes on"


@pytest.mark.parametrize("change", [{"enabled": False}, {"payload": {}}, {"next_due": LONG_AGO - SECOND}])
async def test_a_cron_that_has_changed_meanwhile_is_left_to_the_next_look(
    storage: Storage, change: dict[str, Any]
) -> None:
    cron = await create(storage)
    await storage.crons.change(EVERYTHING, cron.cron_id, lambda cron, time: replace(cron, **change))
    prepared = firing(cron)
    assert await fire(storage, prepared) == []
    assert prepared.new_run is not None
    assert await run_status(storage, prepared.new_run) is None
    await storage.crons.delete(EVERYTHING, cron.cron_id)
    assert await fire(storage, prepared) == []


async def test_a_run_that_its_thread_refuses_takes_no_other_along(storage: Storage) -> None:
    thread_id, another_thread = await idle_thread(storage), await idle_thread(storage)
    await insert(storage, on_thread(thread_id))
    busy, free = await create(storage, thread_id=thread_id), await create(storage)
    refused = firing(busy, new_run=run_of(busy, strategy="reject"))
    lost = await create(storage, thread_id=another_thread)
    nowhere = firing(lost, new_run=on_thread(str(uuid.uuid4())))
    unmade = firing(await create(storage), new_run=None)
    fired = await fire(storage, refused, nowhere, unmade, firing(free))
    assert [each.inserted is not None for each in fired] == [False, False, False, True]
    assert fired[0].refusal is not None
    assert "already running a task" in fired[0].refusal
    assert fired[1].refusal == "Thread or assistant not found."
    assert fired[2].refusal is None
    for cron in (busy, lost, free):
        after = await storage.crons.get(EVERYTHING, cron.cron_id)
        assert after is not None
        assert after.next_due == LONG_AGO + SECOND


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_run_of_a_cron_takes_the_place_of_others(storage: Storage, strategy: str) -> None:
    thread_id = await idle_thread(storage)
    before = await insert(storage, *(on_thread(thread_id) for _ in range(3)))
    cron = await create(storage, thread_id=thread_id)
    (fired,) = await fire(storage, firing(cron, new_run=run_of(cron, strategy=strategy)))
    assert fired.inserted is not None
    assert len(fired.inserted.cancelled.ended) == 3
    assert await run_status(storage, before) == ("interrupted" if strategy == "interrupt" else None)


async def test_many_that_are_due_are_fired_in_small_steps(
    storage: Storage, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in backend.small_steps.items():
        monkeypatch.setattr(name, value)
    crons = [await create(storage) for _ in range(5)]
    await storage.crons.delete(EVERYTHING, crons[2].cron_id)
    fired = await fire(storage, *(firing(cron) for cron in crons))
    assert [each.firing.cron for each in fired] == [*crons[:2], *crons[3:]]
    assert all(each.inserted is not None for each in fired)


# In a race


async def test_two_schedulers_at_one_moment(track: Track) -> None:
    """Each has prepared a run of its own; one of them is written."""

    async def prepare() -> Race[tuple[Firing, Firing], list[Fired], list[Fired]]:
        cron = await create(track.storage)
        left, right = firing(cron), firing(cron)
        return Race((left, right), firing_call(left), firing_call(right))

    async def judge(scene: tuple[Firing, Firing], left: Outcome[list[Fired]], right: Outcome[list[Fired]]) -> str:
        made = [len(done(outcome)) for outcome in (left, right)]
        assert sorted(made) == [0, 1]
        for each, count in zip(scene, made, strict=True):
            assert each.new_run is not None
            assert await run_status(track.storage, each.new_run) == ("pending" if count else None)
        await track.storage.crons.delete(EVERYTHING, scene[0].cron.cron_id)
        return "left" if made[0] else "right"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


def firing_call(one: Firing) -> Call[list[Fired]]:
    return call(lambda storage: storage.crons.fire, [one])
