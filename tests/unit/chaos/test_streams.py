"""Streams: whole, cut, with gaps, out of order."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.chaos_suite.checks.streams import whole
from scripts.chaos_suite.stories import RunStory, StreamStory
from tests.unit.chaos.made_up import evidence, run, stop, stream, whole_stream

EVENTS = whole_stream()


def texts(story: StreamStory, of: RunStory | None = None) -> list[str]:
    findings = whole(evidence(of or run(), streams=[story]))
    assert {finding.kind for finding in findings} <= {"stream"}
    return [finding.text for finding in findings]


def test_a_whole_stream_is_right() -> None:
    assert texts(stream(*EVENTS)) == []


def test_a_stream_that_repeats_the_steps_of_a_killed_attempt_is_right() -> None:
    assert texts(stream(*EVENTS[:3], *EVENTS)) == []


@pytest.mark.parametrize("length", range(len(EVENTS)))
def test_a_stream_that_ends_in_order_without_its_tail_is_found(length: int) -> None:
    (text,) = texts(stream(*EVENTS[:length]))
    assert "without its tail" in text


def test_a_gap_is_found() -> None:
    (text,) = texts(stream(EVENTS[0], *EVENTS[2:]))
    assert "gaps: no custom event run:0" in text


@pytest.mark.parametrize(
    "changes",
    [{"in_order": False}, {"events": [(None, "error", {"error": "StreamCut"})]}],
    ids=["broken off", "says so"],
)
def test_a_stream_that_shows_that_it_is_not_whole_is_right(changes: dict[str, Any]) -> None:
    assert texts(stream(*EVENTS[:2], **changes)) == []


def test_a_stream_of_a_stopped_run_may_end_anywhere() -> None:
    assert texts(stream(*EVENTS[:2]), run(status="interrupted", stops=[stop()])) == []


def test_a_stream_of_a_failed_run_says_so() -> None:
    failed = run(status="error", fails=True)
    assert len(texts(stream(*EVENTS[:2]), failed)) == 1
    assert texts(stream(*EVENTS[:2], ("error", {"error": "RuntimeError"})), failed) == []


@pytest.mark.parametrize("ids", [("1-0", "1-0"), ("2-0", "1-0")], ids=["again", "back"])
def test_events_that_come_again_or_out_of_order_are_found(ids: tuple[str, str]) -> None:
    (text,) = texts(stream(events=[(ids[0], "metadata", {}), (ids[1], "values", {})], in_order=False))
    assert "came after event" in text


def test_the_stock_client_cut_before_its_first_event_comes_back_to_the_present() -> None:
    from_the_middle = [(f"{number}-0", name, data) for number, (name, data) in enumerate(EVENTS[2:], 3)]
    assert texts(stream(events=from_the_middle, by_sdk=True)) == []
    assert texts(stream(by_sdk=True)) == []
    assert len(texts(stream(*EVENTS[:2], by_sdk=True))) == 1
