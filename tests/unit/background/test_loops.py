"""Loops without end: no error ends them, and they tell how they are."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from runyard.runtime.background import rounds
from runyard.runtime.background.loops import BackgroundLoop, BackgroundThread
from runyard.runtime.background.rounds import LATE_AFTER, Loops
from runyard.runtime.errors import StorageUnavailable, Unavailable

ERRORS = [Unavailable("the disk is full"), OSError(24, "Too many open files"), ZeroDivisionError("a defect")]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "FIRST_PAUSE", 0.0)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_a_loop_goes_on_after_any_error(error: Exception) -> None:
    loops, errors, done = Loops(), [error] * 3, asyncio.Event()

    async def step() -> float:
        if errors:
            raise errors.pop()
        done.set()
        return 60.0

    loop = BackgroundLoop("a duty", step, loops)
    loop.start()
    await asyncio.wait_for(done.wait(), 60)
    assert [state.state for state in loops.states()] == ["running"]
    await loop.stop()
    assert loops.states() == []


def test_loops_tell_together_that_storage_is_away(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops = Loops()
    several = [loops.add(name) for name in ("a duty", "another", "a third")]
    for loop in several * 3:
        loop.failed(StorageUnavailable("the database is away"))
        loop.failed(Unavailable("the receiver is away"))
    assert sum("the database is away" in message for message in caplog.messages) == 1
    assert sum("the receiver is away" in message for message in caplog.messages) == 9
    monkeypatch.setattr(rounds, "TOLD_AGAIN", 0.0)
    several[0].failed(StorageUnavailable("the database is away"))
    assert sum("the database is away" in message for message in caplog.messages) == 2


def test_loops_tell_together_that_storage_is_back(caplog: pytest.LogCaptureFixture) -> None:
    loops = Loops()
    several = [loops.add(name) for name in ("a duty", "another", "a third")]
    for loop in several:
        loop.rest(1.0)
    assert not caplog.messages
    for _ in "twice":
        caplog.clear()
        for loop in several[:2]:
            loop.failed(StorageUnavailable("the database is away"))
        for loop in reversed(several):
            loop.rest(1.0)
        assert caplog.messages == ["a duty: the database is away; trying again", "another: storage can be used again"]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_thread_goes_on_after_any_error(error: Exception) -> None:
    loops, errors, done = Loops(), [error] * 3, threading.Event()

    def step() -> float:
        if errors:
            raise errors.pop()
        done.set()
        return 60.0

    thread = BackgroundThread("a duty", step, loops)
    thread.start()
    assert done.wait(60)
    assert [state.state for state in loops.states()] == ["running"]
    thread.stop()
    assert loops.states() == []


async def test_a_pause_ends_when_the_loop_is_woken() -> None:
    began: asyncio.Queue[None] = asyncio.Queue()

    async def step() -> float:
        began.put_nowait(None)
        return 3600.0

    loop = BackgroundLoop("a duty", step, Loops())
    loop.start()
    await began.get()
    loop.wake()
    await asyncio.wait_for(began.get(), 60)
    await loop.stop()


async def test_a_step_ends_its_loop() -> None:
    loops = Loops()

    async def step() -> None:
        return None

    await asyncio.wait_for(BackgroundLoop("a duty", step, loops).run(), 60)
    assert loops.states() == []


async def test_a_loop_that_is_torn_down_is_seen() -> None:
    class Torn(BaseException):
        pass

    loops = Loops()

    async def step() -> None:
        raise Torn

    with pytest.raises(Torn):
        await BackgroundLoop("a duty", step, loops).run()
    assert [(state.name, state.state) for state in loops.states()] == [("a duty", "ended")]


def test_a_loop_is_late_when_a_round_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    time_now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: time_now)
    loops = Loops()
    account = loops.add("a duty")
    account.begin()
    time_now += LATE_AFTER + 1
    assert [state.state for state in loops.states()] == ["late"]
    account.rest(60.0)
    assert [state.state for state in loops.states()] == ["running"]
    time_now += 60.0
    assert [state.state for state in loops.states()] == ["running"]


def test_a_loop_is_late_when_its_rounds_fail_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    time_now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: time_now)
    loops = Loops()
    account = loops.add("a duty")
    for _ in range(40):
        account.begin()
        account.failed(Unavailable("the disk is full"))
        time_now += 1.0
    assert [state.state for state in loops.states()] == ["late"]
    account.begin()
    account.rest(1.0)
    assert [state.state for state in loops.states()] == ["running"]
