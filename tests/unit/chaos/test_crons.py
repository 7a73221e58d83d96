"""Crons: moments that made no run, or more than one."""

from __future__ import annotations

from typing import Any

from scripts.chaos_suite.checks.crons import exactly_once
from scripts.chaos_suite.stories import CronStory, FaultStory
from tests.unit.chaos.made_up import evidence


def cron(*runs: str, made: list[tuple[int, str | None]] | None) -> CronStory:
    """Due at 10, 11 and 12."""
    return CronStory(cron_id="cron", tag="tag", steps=1, first=10, last=12, created=0.0, made=made, runs=list(runs))


def texts(story: CronStory, **fields: Any) -> list[str]:
    found = exactly_once(evidence(crons=[story], **fields))
    assert all(finding.kind == "cron" for finding in found)
    return [finding.text.partition(": ")[2] for finding in found]


def test_a_run_for_each_moment_is_right() -> None:
    assert texts(cron("a", "b", "c", made=[(10, "a"), (11, "b"), (12, "c")])) == []


def test_a_moment_without_a_run_is_found() -> None:
    assert texts(cron("a", "c", made=[(10, "a"), (12, "c")])) == ["no run was made 1 s after the first"]


def test_a_run_that_is_not_there_is_found() -> None:
    made: list[tuple[int, str | None]] = [(10, "a"), (11, "b"), (12, None)]
    assert texts(cron("a", "b", made=made)) == ["1 of its moments have no run that is there"]


def test_a_run_too_many_is_found() -> None:
    made: list[tuple[int, str | None]] = [(10, "a"), (11, "b"), (12, "c")]
    assert texts(cron("a", "b", "c", "d", made=made)) == ["runs that belong to no moment: d"]
    assert texts(cron("a", "b", "c", "d", made=[*made, (13, "d")])) == [
        "a run was made 3 s after the first, when it was not due"
    ]


def test_nothing_is_asked_where_it_could_not_be_found_out_or_the_clock_has_jumped() -> None:
    assert texts(cron(made=None)) == []
    assert texts(cron(made=[]), faults=[FaultStory(name="clock", begin=0.0, end=1.0)]) == []
