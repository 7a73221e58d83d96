"""What runs ended as: lost, failed, not cancelled, not rolled back, wrong answers, parts of batches."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.chaos_suite.checks.endings import answers, atomic_batches, lost, statuses
from tests.unit.chaos.made_up import done, evidence, marks, run, stop, thread


@pytest.mark.parametrize("status", ["pending", "running", None])
def test_a_run_that_is_not_at_its_end_or_not_there_is_lost(status: str | None) -> None:
    (finding,) = lost(evidence(run(status=status)))
    assert (finding.kind, finding.run_id) == ("lost", "run")


def test_a_temporary_run_is_lost_when_its_outcome_is() -> None:
    assert [finding.kind for finding in lost(evidence(run(status=None, temporary=True)))] == ["lost"]
    assert lost(evidence(run(status=None, temporary=True, answer={"done": []}))) == []


def test_a_run_that_was_not_asked_for_is_not_judged() -> None:
    case = evidence(run(found=None))
    assert lost(case) == statuses(case) == []


def test_what_was_deleted_or_rolled_back_is_not_lost() -> None:
    assert lost(evidence(run(status=None), thread=thread(status=None, deleted=1.0))) == []
    assert lost(evidence(run(status=None), thread=thread(maybe_deleted=True))) == []
    assert lost(evidence(run(status=None, stops=[stop(rollback=True, certainty="unknown")]))) == []


def test_runs_that_end_as_their_graphs_do_are_right() -> None:
    assert statuses(evidence(run(), run("other", status="error", fails=True))) == []


def test_an_error_without_the_graphs_doing_is_found() -> None:
    assert [finding.kind for finding in statuses(evidence(run(status="error")))] == ["failed"]
    assert [finding.kind for finding in statuses(evidence(run(status="timeout")))] == ["failed"]


def test_an_interrupted_run_that_nobody_stopped_is_found() -> None:
    assert [finding.kind for finding in statuses(evidence(run(status="interrupted")))] == ["cancelled"]


def test_a_success_after_an_accepted_cancel_is_found() -> None:
    assert [finding.kind for finding in statuses(evidence(run(stops=[stop()])))] == ["cancelled"]
    assert statuses(evidence(run(status="interrupted", stops=[stop()]))) == []


@pytest.mark.parametrize("status", ["success", "interrupted"])
def test_a_run_that_is_there_after_an_accepted_rollback_is_found(status: str) -> None:
    assert [finding.kind for finding in statuses(evidence(run(status=status, stops=[stop(rollback=True)])))] == [
        "rollback"
    ]


@pytest.mark.parametrize("status", ["success", "interrupted"])
def test_after_a_cancel_whose_answer_broke_off_both_ends_are_right(status: str) -> None:
    assert statuses(evidence(run(status=status, stops=[stop(certainty="unknown")]))) == []


@pytest.mark.parametrize(("rollback", "kind"), [(False, "cancelled"), (True, "rollback")])
def test_a_run_that_works_on_to_its_end_though_another_was_to_stop_it_is_found(rollback: bool, kind: str) -> None:
    replaced = stop(rollback=rollback, certainty="unknown", answered=2.0, by_run="next")
    at_work = evidence(run(stops=[replaced]), marks=marks("1 1 10 0 start", "2.1 1 10 0 end"))
    assert [finding.kind for finding in statuses(at_work)] == [kind]
    over = evidence(run(stops=[replaced]), marks=marks("1 1 10 0 start", "1.9 1 10 0 end"))
    assert statuses(over) == []


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({"answer": {"done": list(done("run", 2))}}, []),
        ({"answer": {"done": [*done("earlier", 2), *done("run", 2)]}}, []),
        ({"answer": {"done": ["run:0"]}}, ["wrong"]),
        ({"answer": {"done": ["run:0", "run:0", "run:1"]}}, ["wrong"]),
        ({"answer": None}, []),
        ({"answer": {"__error__": {"error": "WorkerLost"}}}, ["failed"]),
        ({"answer": {"__error__": {"error": "RuntimeError"}}, "fails": True}, []),
        ({"answer": {"done": []}, "fails": True}, ["wrong"]),
        ({"answer": {"done": list(done("run", 2))}, "asks": True}, ["wrong"]),
        ({"answer": {"done": list(done("run", 2)), "__interrupt__": [{}]}, "asks": True}, []),
        ({"answer": {"done": ["run:0"]}, "stops": [stop()]}, []),
    ],
)
def test_answers_are_held_against_plain_langgraph(fields: dict[str, Any], kinds: list[str]) -> None:
    assert [finding.kind for finding in answers(evidence(run(**fields)))] == kinds


def test_a_part_of_a_batch_is_found() -> None:
    assert [finding.kind for finding in atomic_batches(evidence(batches={"batch": (6, 5)}))] == ["atomic"]
    assert atomic_batches(evidence(batches={"all": (6, 6), "none": (6, 0)})) == []
