"""What threads hold and show: states, rollbacks, order, statuses, deletions."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.chaos_suite.checks.states import contents, deleted_threads, thread_statuses
from scripts.chaos_suite.stories import Evidence
from tests.unit.chaos.made_up import done, evidence, run, stop, thread

BOTH = (*done("first", 2), *done("second", 2))


def kinds_of(case: Evidence) -> list[str]:
    return [finding.kind for finding in contents(case)]


def test_the_steps_of_all_runs_in_their_order_are_right() -> None:
    case = evidence(run("first"), run("second", accepted=1.0), thread=thread(BOTH))
    assert contents(case) == thread_statuses(case) == []


@pytest.mark.parametrize(
    "entries",
    [(), ("run:0",), ("run:0", "run:0", "run:1"), ("run:1", "run:0")],
    ids=["none", "too few", "twice", "mixed up"],
)
def test_a_success_whose_steps_are_not_those_of_plain_langgraph_is_found(entries: tuple[str, ...]) -> None:
    assert kinds_of(evidence(run(), thread=thread(entries))) == ["wrong"]


def test_runs_executed_out_of_order_are_found() -> None:
    assert kinds_of(evidence(run("second"), run("first", accepted=1.0), thread=thread(BOTH))) == ["wrong"]


def test_steps_of_two_runs_that_are_mixed_are_found() -> None:
    mixed = ("first:0", "second:0", "first:1", "second:1")
    assert kinds_of(evidence(run("first"), run("second", accepted=1.0), thread=thread(mixed))) == ["wrong"]


@pytest.mark.parametrize(("entries", "kinds"), [((), []), (("run:0",), []), (("run:1",), ["wrong"])])
def test_a_stopped_run_leaves_a_beginning_of_its_steps(entries: tuple[str, ...], kinds: list[str]) -> None:
    assert kinds_of(evidence(run(status="interrupted", stops=[stop()]), thread=thread(entries))) == kinds


def test_what_is_left_of_a_run_that_was_rolled_back_is_found() -> None:
    stopped = run("second", status=None, accepted=1.0, stops=[stop(rollback=True)])
    left = thread((*done("first", 2), "second:0"))
    assert kinds_of(evidence(run("first"), stopped, thread=left)) == ["rollback"]
    assert kinds_of(evidence(run("first"), stopped, thread=thread(done("first", 2)))) == []


def test_the_rollback_of_an_answer_brings_the_question_back() -> None:
    asked = run("asked", tag="tag", asks=True, expected=("tag:first",))
    answered = run(
        "answered",
        tag="tag",
        accepted=1.0,
        status=None,
        stops=[stop(rollback=True)],
        before=("tag:first",),
        expected=("tag:first", "tag:ask", "tag:last"),
    )
    there = thread(("tag:first",), status="interrupted", interrupts={"task": [{}]})
    case = evidence(asked, answered, thread=there)
    assert contents(case) == thread_statuses(case) == []
    without = evidence(asked, answered, thread=thread(("tag:first",), status="interrupted"))
    assert [finding.kind for finding in thread_statuses(without)] == ["rollback"]
    idle = evidence(asked, answered, thread=thread(("tag:first",), status="idle", interrupts={"task": [{}]}))
    assert [finding.kind for finding in thread_statuses(idle)] == ["status"]


def test_values_that_differ_from_the_state_are_found() -> None:
    there = thread(done("run", 2))
    assert there.found is not None
    there.found.values = None
    assert kinds_of(evidence(run(), thread=there)) == ["wrong"]


def test_a_state_that_cannot_be_read_is_found() -> None:
    there = thread(done("run", 2))
    assert there.found is not None
    there.found.state = None
    assert kinds_of(evidence(run(), thread=there)) == ["wrong"]


def test_a_thread_with_a_run_that_may_or_may_not_be_there_is_not_judged() -> None:
    case = evidence(run(), thread=thread(("run:0",), status="busy", uncertain=True))
    assert contents(case) == thread_statuses(case) == []


@pytest.mark.parametrize(
    ("ended", "fields", "shown", "kinds"),
    [
        ("success", {}, "idle", []),
        ("success", {}, "interrupted", ["status"]),
        ("success", {}, "busy", ["stuck"]),
        ("error", {"fails": True}, "error", []),
        ("error", {"fails": True}, "idle", ["status"]),
        ("interrupted", {"stops": [stop()]}, "idle", []),
        ("interrupted", {"stops": [stop()]}, "interrupted", []),
        ("pending", {}, "busy", []),
    ],
)
def test_the_status_of_a_thread_fits_its_last_run(
    ended: str, fields: dict[str, Any], shown: str, kinds: list[str]
) -> None:
    case = evidence(run(status=ended, **fields), thread=thread(done("run", 2), status=shown))
    assert [finding.kind for finding in thread_statuses(case)] == kinds


def test_a_thread_that_is_there_after_its_deletion_is_found() -> None:
    assert [finding.kind for finding in deleted_threads(evidence(thread=thread(deleted=1.0)))] == ["deleted"]
    assert deleted_threads(evidence(thread=thread(status=None, deleted=1.0))) == []
    assert deleted_threads(evidence(thread=thread(maybe_deleted=True))) == []
