"""What is found in made-up evidence of repeated requests, counts, the order of work and recoveries."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.chaos_suite.checks.promises import carried_out_once, counts, interactive_first, recovered
from scripts.chaos_suite.stories import BatchStory, Evidence, FaultStory, KeyStory

from .made_up import evidence, marks, run


def keyed(**fields: object) -> Evidence:
    story = KeyStory(key="key", thread_id="thread")
    for name, value in fields.items():
        setattr(story, name, value)
    return Evidence(keys=[story])


def test_a_key_whose_senders_know_of_one_run_is_as_it_should_be() -> None:
    assert not carried_out_once(keyed(answers=["a", "a"], there=1))


@pytest.mark.parametrize(
    "fields", [{"answers": ["a", "b"]}, {"answers": ["a"], "there": 2}, {"refusals": ["422: used for another request"]}]
)
def test_a_key_that_was_used_twice_or_refused_is_found(fields: dict[str, object]) -> None:
    (finding,) = carried_out_once(keyed(**fields))
    assert finding.kind == "repeated"


def test_counts_are_those_of_the_runs() -> None:
    runs = [run("a"), run("b", status="error"), run("c", status=None, temporary=True)]
    counted = BatchStory(batch_id="batch", runs=["a", "b", "c"], counts={"success": 2, "error": 1, "pending": 0})
    assert not counts(evidence(*runs, counted=[counted]))


def test_counts_that_are_not_those_of_the_runs_are_found() -> None:
    counted = BatchStory(batch_id="batch", runs=["a"], counts={"success": 0, "pending": 1})
    (finding,) = counts(evidence(run("a"), counted=[counted]))
    assert finding.kind == "counts"


def test_counts_are_not_judged_while_a_run_is_not_at_its_end() -> None:
    counted = BatchStory(batch_id="batch", runs=["a"], counts={"running": 1})
    assert not counts(evidence(run("a", status="running"), counted=[counted]))


def waiting_beside_a_batch(**fields: Any) -> Evidence:
    """A run that was accepted at 10 s and begun at 16 s; four items of a batch were begun at 14 s."""
    items = [f"item {number}" for number in range(4)]
    begun = marks("16 1 1 0 start")
    for item in items:
        begun += marks("14 1 1 0 start", run_id=item)
    awaited = run("run", accepted=10.0, awaited=True)
    return evidence(awaited, marks=begun, counted=[BatchStory(batch_id="batch", runs=items)], **fields)


def test_a_run_that_somebody_waits_for_is_found_when_batches_overtake_it() -> None:
    (finding,) = interactive_first(waiting_beside_a_batch())
    assert finding.kind == "order"


def test_nobody_is_overtaken_while_a_fault_is_near() -> None:
    fault = FaultStory(name="kill-worker", begin=8.0, end=9.0)
    assert not interactive_first(waiting_beside_a_batch(faults=[fault]))


def killed(again: float, **fields: Any) -> Evidence:
    """A worker that was killed at 10 s, whose run was at work again at the given time."""
    begun = marks("9 1 1 0 start", f"{again} 2 2 0 start")
    return evidence(run(), marks=begun, deaths={1: 10.0}, **fields)


def test_a_run_that_is_at_work_again_soon_after_the_lease_is_in_time() -> None:
    assert not recovered(killed(14.9))


def test_a_run_that_is_at_work_again_later_is_found() -> None:
    (finding,) = recovered(killed(15.1, faults=[FaultStory(name="kill-worker", begin=9.9, end=10.1)]))
    assert finding.kind == "late"


def test_a_recovery_that_another_fault_may_have_hindered_is_not_judged() -> None:
    assert not recovered(killed(15.1, faults=[FaultStory(name="cut", begin=12.0, end=13.0)]))
