"""What makes a run when: one for each moment, one for all that were missed, none for what is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard.generated.models import Assistant
from runyard.runtime.errors import Unavailable
from runyard.runtime.maintenance import cron_scheduler
from runyard.runtime.maintenance.cron_scheduler import LONGEST_SLEEP, UNREADABLE_PAUSE
from runyard.runtime.scope import Scope
from runyard.runtime.services.cron_runs import new_cron_run
from runyard.runtime.storage.port.crons import StoredCron
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .cron_scene import ASSISTANT, Clock, Scene


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    clock = Clock()
    monkeypatch.setattr("time.time_ns", clock)
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield Scene(storage, clock)
    storage.close()


async def test_a_cron_is_slept_for_and_makes_its_run(scene: Scene) -> None:
    assert await scene.perform() == LONGEST_SLEEP
    cron = await scene.create("* * * * * */2", metadata={"k": "v"})
    assert scene.woken == 1
    assert await scene.perform() == pytest.approx(1.501)
    assert await scene.runs() == []
    scene.clock.set("2026-03-28T12:00:02")
    assert await scene.perform() == pytest.approx(2.001)
    (run,) = await scene.runs()
    assert run.metadata == {
        "k": "v",
        "cron_id": cron.cron_id,
        "assistant_id": ASSISTANT.assistant_id,
    }
    assert run.kwargs["config"]["configurable"]["cron_id"] == cron.cron_id
    assert scene.counts == ["fired"]
    assert scene.told.ready == 1
    assert await scene.next_date(cron) == "2026-03-28T12:00:04"


async def test_of_the_times_that_were_missed_the_latest_makes_a_run(scene: Scene) -> None:
    """Nobody wants a thousand runs after a night."""
    cron = await scene.create("*/5 * * * *")
    rare = await scene.create("0 13 28 3 *")
    scene.clock.set("2026-03-29T09:07:00")
    await scene.perform()
    assert len(await scene.runs()) == 2
    assert sorted(scene.counts) == ["fired", "late"]
    assert await scene.next_date(cron) == "2026-03-29T09:10:00"
    assert await scene.next_date(rare) == "2027-03-28T13:00:00"


async def test_times_that_were_missed_by_a_moment_make_a_run_each(scene: Scene) -> None:
    """The machine was busy, or the server restarted."""
    cron = await scene.create("* * * * * */10", end_time="2026-03-28T12:00:50")
    scene.clock.set("2026-03-28T12:01:05")
    await scene.perform()
    assert len(await scene.runs()) == 5
    assert scene.counts == ["fired"] * 5
    assert await scene.next_date(cron) is None


async def test_clocks_that_change_are_followed(scene: Scene) -> None:
    cron = await scene.create("30 2 * * *", timezone="Europe/Vienna")
    dates = []
    for day in range(3):
        date = await scene.next_date(cron)
        assert date is not None
        dates.append(date)
        scene.clock.set(date)
        await scene.perform()
        assert len(await scene.runs()) == day + 1
    assert dates == ["2026-03-29T01:00:00", "2026-03-30T00:30:00", "2026-03-31T00:30:00"]


async def test_crons_are_timed_anew_when_the_time_of_day_was_set_back(scene: Scene) -> None:
    """A machine that starts in another year, until somebody tells it: its crons do not wait for that year."""
    scene.clock.set("2036-03-28T12:00:30")
    cron = await scene.create("* * * * *")
    scene.clock.set("2036-03-28T12:01:00")
    await scene.perform()
    scene.clock.set("2026-03-28T12:00:30")
    assert await scene.perform() == LONGEST_SLEEP
    assert await scene.next_date(cron) == "2026-03-28T12:01:00"
    scene.clock.set("2026-03-28T12:01:00")
    await scene.perform()
    assert scene.counts == ["fired", "fired"]


async def test_a_moment_that_comes_twice_makes_one_run(scene: Scene) -> None:
    """The time of day was set back by a few minutes."""
    cron = await scene.create("* * * * *")
    for minute in (1, 2, 3):
        scene.clock.set(f"2026-03-28T12:0{minute}:00")
        await scene.perform()
    scene.clock.set("2026-03-28T12:01:30")
    await scene.perform()
    assert await scene.next_date(cron) == "2026-03-28T12:02:00"
    for minute in (2, 3, 4):
        scene.clock.set(f"2026-03-28T12:0{minute}:00")
        await scene.perform()
    assert scene.counts == ["fired"] * 4


async def test_two_schedulers_make_one_run(scene: Scene) -> None:
    await scene.create("* * * * *")
    scene.clock.set("2026-03-28T12:01:00")
    await scene.perform()
    await scene.another_scheduler().perform()
    assert len(await scene.runs()) == 1


async def test_nothing_is_made_behind_the_end(scene: Scene) -> None:
    """Also where the end has passed in the meantime; what was due before it still counts."""
    cron = await scene.create("* * * * *", end_time="2026-03-28T12:02:30")
    unlucky = await scene.create("0 13 * * *", end_time="2026-03-28T12:59:59Z")
    assert await scene.next_date(unlucky) is None
    scene.clock.set("2026-03-28T18:00:00")
    await scene.perform()
    assert len(await scene.runs()) == 1
    assert await scene.next_date(cron) is None
    on = await scene.crons.patch(Scope.everything(), cron.cron_id, {"end_time": None})
    assert on.next_run_date == "2026-03-28T18:01:00.000000+00:00"


async def test_a_cron_that_is_off_misses_nothing(scene: Scene) -> None:
    cron = await scene.create("* * * * *")
    await scene.crons.patch(Scope.everything(), cron.cron_id, {"enabled": False})
    scene.clock.set("2026-03-28T12:10:30")
    assert await scene.perform() == LONGEST_SLEEP
    await scene.crons.patch(Scope.everything(), cron.cron_id, {"enabled": True})
    await scene.perform()
    assert await scene.runs() == []
    assert await scene.next_date(cron) == "2026-03-28T12:11:00"


async def test_a_change_that_is_no_matter_of_time_leaves_what_is_due(scene: Scene) -> None:
    cron = await scene.create("* * * * *")
    scene.clock.set("2026-03-28T12:01:00")
    await scene.crons.patch(Scope.everything(), cron.cron_id, {"metadata": {"a": 1}, "enabled": True})
    await scene.perform()
    (run,) = await scene.runs()
    assert run.metadata["a"] == 1


async def test_a_run_is_its_creators(scene: Scene) -> None:
    cron = await scene.create("* * * * *", identity="ann")
    assert cron.user_id == "ann"
    scene.clock.set("2026-03-28T12:01:00")
    await scene.perform()
    assert scene.assistants.asked == ["ann", "ann"]


async def test_a_cron_whose_assistant_cannot_run_goes_on(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    cron = await scene.create("* * * * *")
    scene.assistants.there = False
    scene.clock.set("2026-03-28T12:01:00")
    await scene.perform()
    assert scene.counts == ["refused"]
    assert f"cron {cron.cron_id} was due and made no run: Thread or assistant not found." in caplog.text
    scene.assistants.there = True
    scene.clock.set("2026-03-28T12:02:00")
    await scene.perform()
    assert scene.counts == ["refused", "fired"]


async def test_a_defect_that_one_cron_meets_keeps_no_other_from_running(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await scene.create("* * * * *"), await scene.create("* * * * *")

    def make(cron: StoredCron, *rest: Any) -> NewRun:
        if cron.cron_id == first.cron_id:
            raise ZeroDivisionError
        return new_cron_run(cron, *rest)

    monkeypatch.setattr(cron_scheduler, "new_cron_run", make)
    scene.clock.set("2026-03-28T12:01:00")
    await scene.perform()
    assert sorted(scene.counts) == ["fired", "refused"]


async def test_what_can_be_tried_again_costs_no_run(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(scope: Scope, name: str) -> Assistant:
        raise Unavailable("the database does not answer")

    await scene.create("* * * * *")
    scene.clock.set("2026-03-28T12:01:00")
    with monkeypatch.context() as outage:
        outage.setattr(scene.assistants, "resolve", away)
        with pytest.raises(Unavailable):
            await scene.perform()
    await scene.perform()
    assert scene.counts == ["fired"]


async def test_a_busy_thread_goes_by_the_strategy(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    first = await scene.create("* * * * *")
    scene.clock.set("2026-03-28T12:01:00")
    await scene.perform()
    (run,) = await scene.runs()
    await scene.crons.delete(Scope.everything(), first.cron_id)
    await scene.create("* * * * *", thread_id=run.thread_id, multitask_strategy="reject")
    scene.clock.set("2026-03-28T12:02:00")
    await scene.perform()
    assert await scene.runs() == [run]
    assert "already running a task" in caplog.text
    await scene.create("* * * * *", thread_id=run.thread_id, multitask_strategy="rollback")
    scene.clock.set("2026-03-28T12:03:00")
    await scene.perform()
    assert scene.told.cancelled == [(1, "rollback")]


async def test_a_schedule_that_cannot_be_read_any_more_is_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time zones of the machine have changed."""
    cron = await scene.create("0 * * * *", timezone="Europe/Vienna")
    await scene.storage.crons.change(Scope.everything(), cron.cron_id, lambda stored, time: _elsewhere(stored))
    scene.clock.set("2026-03-28T13:00:00")
    await scene.perform()
    assert scene.counts == ["refused"]
    stored = await scene.storage.crons.get(Scope.everything(), cron.cron_id)
    assert stored is not None
    assert stored.next_due == scene.clock() // 1000 + UNREADABLE_PAUSE


def _elsewhere(stored: Any) -> Any:
    return replace(stored, timezone="Mars/Olympus")


async def test_many_that_are_due_together_all_make_their_runs(scene: Scene) -> None:
    for _ in range(250):
        await scene.create("* * * * *")
    scene.clock.set("2026-03-28T12:01:00")
    await scene.perform()
    assert len(await scene.runs()) == 250
    assert scene.counts == ["fired"] * 250
