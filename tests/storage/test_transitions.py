"""Run status by event: the whole table, and the thread's status with it."""

from __future__ import annotations

import pytest

from runyard.runtime.errors import Conflict, LeaseLost
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage

from .builders import run_status, thread_status
from .situations import HAPPENINGS, STATES, Situation

# A line for each event, a column for each state. "=": nothing changes. "lost": LeaseLost, and nothing changes;
# "busy": Conflict, and nothing changes. "." cannot happen: nobody ever had a lease. Else the new status.
TRANSITIONS = """
                   ready       waiting     delayed     trying      running     flagged     undone  success error   timeout interrupted
claimed            running     =           =           =           =           =           =       =       =       =       =
time passes        =           =           =           =           =           =           =       =       =       =       =
beat, holding      =           =           =           =           =           =           =       =       =       =       =
beat, claiming     =           =           =           =           =           =           =       =       =       =       =
beat, empty        =           =           =           =           pending     interrupted removed =       =       =       =
finished           lost        .           .           lost        success     interrupted removed lost    lost    lost    lost
failed             lost        .           .           lost        error       interrupted removed lost    lost    lost    lost
tried again        lost        .           .           lost        pending     interrupted removed lost    lost    lost    lost
stopped            lost        .           .           lost        interrupted interrupted removed lost    lost    lost    lost
released           lost        .           .           lost        pending     interrupted removed lost    lost    lost    lost
attempt failed     lost        .           .           lost        pending     interrupted removed lost    lost    lost    lost
failed for good    lost        .           .           lost        error       interrupted removed lost    lost    lost    lost
reaped             =           =           =           =           pending     interrupted removed =       =       =       =
reaped for good    =           =           =           =           error       interrupted removed =       =       =       =
unstopped          =           =           =           =           =           interrupted removed =       =       =       =
overdue            =           =           =           =           timeout     interrupted removed =       =       =       =
cancelled          interrupted interrupted interrupted interrupted =           =           =       =       =       =       =
cancelled back     removed     removed     removed     removed     =           =           =       =       =       =       =
deleted            removed     removed     removed     removed     removed     removed     removed removed removed removed removed
joined: reject     busy        busy        busy        busy        busy        busy        busy    =       =       =       =
joined: enqueue    =           =           =           =           =           =           =       =       =       =       =
joined: interrupt  interrupted interrupted interrupted interrupted =           =           =       =       =       =       =
joined: rollback   removed     removed     removed     removed     =           =           =       =       =       =       =
"""  # noqa: E501 - a table

STATUS = {
    "ready": "pending",
    "waiting": "pending",
    "delayed": "pending",
    "trying": "pending",
    "flagged": "running",
    "undone": "running",
}
SETTLED = {"error": "error", "timeout": "error"}
UNDER_WAY = ("pending", "running")
FAILED_ATTEMPTS = ("attempt failed", "failed for good")
REFUSALS = {"lost": LeaseLost, "busy": Conflict}


def cells() -> list[tuple[str, str, str]]:
    """(event, state, what is to become of it) of each cell that can happen."""
    head, *lines = TRANSITIONS.strip("\n").splitlines()
    states = head.split()
    found = []
    for line in lines:
        event, outcomes = line[:19].strip(), line[19:].split()
        found += [(event, *cell) for cell in zip(states, outcomes, strict=True) if cell[1] != "."]
    return found


def test_the_table_is_complete() -> None:
    named = {(event, state) for event, state, _ in cells()}
    left_out = {
        (event, state)
        for event in ("finished", "failed", "tried again", "stopped", "released", *FAILED_ATTEMPTS)
        for state in ("waiting", "delayed")
    }
    assert named | left_out == {(event, state.__name__) for event in HAPPENINGS for state in STATES}


@pytest.mark.usefixtures("no_claim_grace")
@pytest.mark.parametrize(("event", "state", "outcome"), cells())
async def test_what_becomes_of_a_run(storage: Storage, event: str, state: str, outcome: str) -> None:
    make = next(make for make in STATES if make.__name__ == state)
    it = await make(storage)
    before = STATUS.get(state, state)
    assert await run_status(storage, it.new_run) == before
    if refusal := REFUSALS.get(outcome):
        with pytest.raises(refusal):
            await HAPPENINGS[event](storage, it)
    else:
        await HAPPENINGS[event](storage, it)
    after = before if outcome in ("=", *REFUSALS) else None if outcome == "removed" else outcome
    assert await run_status(storage, it.new_run) == after
    busy = it.ahead is not None or after in UNDER_WAY or (event.startswith("joined") and outcome != "busy")
    # A run that is removed after its end leaves the thread as it made it.
    rest = SETTLED.get(after or (before if event == "deleted" else ""), "idle")
    assert await thread_status(storage, it.new_run.thread_id) == ("busy" if busy else rest)
    held = after == "pending" and (state == "trying" or (event, state) == ("tried again", "running"))
    await assert_each_thread_runs_once(storage, it, held=held)


async def assert_each_thread_runs_once(storage: Storage, it: Situation, *, held: bool) -> None:
    """Whatever happened, what is left of the queue is the thread's runs, one after the other; none of them can go when
    the thread is `held` by one that waits for its next try."""
    runs = await storage.runs.of_thread(Scope.everything(), it.new_run.thread_id, limit=100, offset=0, status=None)
    under_way = [run for run in runs if run.status in UNDER_WAY]
    depth = await storage.queue.depth()
    assert depth.ready + depth.running == (
        1 if [run for run in under_way if not is_delayed(run, it)] and not held else 0
    )
    assert depth.ready + depth.waiting + depth.delayed + depth.running == len(under_way)


def is_delayed(run: object, it: Situation) -> bool:
    return it.new_run.delay > 0 and getattr(run, "run_id", None) == it.new_run.run_id
