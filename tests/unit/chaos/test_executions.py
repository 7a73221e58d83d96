"""What marks say: executed by two at once, again, or after the end."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.chaos_suite.checks.executions import (
    GRACE,
    executed_after_the_end,
    executed_after_the_round,
    executed_again,
    executed_at_once,
)
from scripts.chaos_suite.stories import FaultStory
from tests.unit.chaos.made_up import evidence, marks, run, stop, thread

KILLED_AT_STEP_1 = marks("1 1 10 0 start", "2 1 10 0 end", "3 1 10 1 start", "5 2 11 1 start", "6 2 11 1 end")


def test_an_attempt_that_goes_on_where_the_last_one_died_is_right() -> None:
    case = evidence(run(synced=True), marks=KILLED_AT_STEP_1)
    assert executed_at_once(case) == executed_again(case) == executed_after_the_end(case) == []


def test_two_steps_of_one_attempt_may_run_at_once() -> None:
    both = marks("1 1 10 left start", "1 1 10 right start", "2 1 10 left end", "2 1 10 right end")
    case = evidence(run(), marks=both)
    assert executed_at_once(case) == executed_again(case) == []


def test_an_attempt_that_begins_a_step_after_the_next_attempt_has_begun_is_found() -> None:
    case = evidence(run(), marks=[*KILLED_AT_STEP_1, *marks("7 1 10 2 start")])
    (finding,) = executed_at_once(case)
    assert (finding.kind, finding.run_id) == ("doubled", "run")


def test_a_step_that_ends_after_the_next_attempt_has_begun_is_found() -> None:
    case = evidence(run(), marks=[*KILLED_AT_STEP_1, *marks("5.5 1 10 1 end")])
    assert [finding.kind for finding in executed_at_once(case)] == ["doubled"]


@pytest.mark.parametrize("graph", ["blocking", "stubborn"])
def test_a_node_that_cannot_be_stopped_may_come_to_its_end_unseen(graph: str) -> None:
    case = evidence(run(graph=graph), marks=[*KILLED_AT_STEP_1, *marks("5.5 1 10 1 end")])
    assert executed_at_once(case) == []


def test_a_node_that_is_told_to_stop_late_is_no_second_execution() -> None:
    assert executed_at_once(evidence(run(), marks=[*KILLED_AT_STEP_1, *marks("5.5 1 10 1 stop")])) == []


def test_one_attempt_in_two_processes_is_found() -> None:
    case = evidence(run(), marks=marks("1 1 10 0 start", "2 1 11 0 start"))
    (finding,) = executed_at_once(case)
    assert "10 and 11" in finding.text


def test_a_step_that_one_attempt_begins_twice_is_found() -> None:
    case = evidence(run(), marks=marks("1 1 10 0 start", "2 1 10 0 end", "3 1 10 0 start"))
    (finding,) = executed_again(case)
    assert "begun twice" in finding.text


def test_a_stored_step_that_is_executed_again_is_found() -> None:
    again = [*KILLED_AT_STEP_1[:3], *marks("5 2 11 0 start")]
    assert [finding.kind for finding in executed_again(evidence(run(synced=True), marks=again))] == ["doubled"]


def test_a_step_that_was_perhaps_not_stored_may_be_executed_again() -> None:
    again = [*KILLED_AT_STEP_1[:3], *marks("5 2 11 0 start")]
    assert executed_again(evidence(run(synced=False), marks=again)) == []


@pytest.mark.parametrize(
    "over",
    [{"ended": 2.0}, {"stops": [stop(rollback=True, answered=2.0)]}],
    ids=["told", "rolled back"],
)
def test_a_step_begun_after_the_end_of_its_run_is_found(over: dict[str, Any]) -> None:
    late = marks("1 1 10 0 start", f"{2.1 + GRACE} 1 10 1 start")
    assert [finding.kind for finding in executed_after_the_end(evidence(run(**over), marks=late))] == ["doubled"]
    just_after = marks("1 1 10 0 start", f"{1.9 + GRACE} 1 10 1 start")
    assert executed_after_the_end(evidence(run(**over), marks=just_after)) == []


def test_a_step_begun_after_its_thread_was_deleted_is_found() -> None:
    late = marks("1 1 10 0 start", f"{2.1 + GRACE} 1 10 1 start")
    case = evidence(run(status=None), thread=thread(status=None, deleted=2.0), marks=late)
    assert [finding.kind for finding in executed_after_the_end(case)] == ["doubled"]


def test_a_worker_that_was_kept_from_hearing_of_the_end_is_excused() -> None:
    late = marks("1 1 10 0 start", "20 1 10 1 start")
    held = FaultStory(name="stop-worker", begin=1.5, end=19.0, holds=True)
    killed = FaultStory(name="kill-api", begin=1.5, end=19.0)
    assert executed_after_the_end(evidence(run(ended=2.0), marks=late, faults=[held])) == []
    assert executed_after_the_end(evidence(run(ended=2.0), marks=late, faults=[killed])) != []


def test_a_step_begun_by_a_run_of_an_earlier_round_is_found() -> None:
    late = marks("1 1 10 0 start", "2 1 10 1 start")
    (finding,) = executed_after_the_round(late, {"run"})
    assert (finding.kind, finding.run_id) == ("doubled", "run")
    assert executed_after_the_round(late, {"other"}) == []
