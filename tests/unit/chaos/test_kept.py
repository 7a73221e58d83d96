"""What is found in made-up evidence of items of the store and of events of threads."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.chaos_suite.checks import kept
from scripts.chaos_suite.stories import Evidence, ItemStory, ToldStory

from .made_up import THREAD, done, evidence, run, thread


def texts(found: Evidence) -> list[str]:
    return [finding.text for check in (kept.items, kept.told) for finding in check(found)]


def item(*found: int, stored: int | None = None, unknown: tuple[int, ...] = ()) -> Evidence:
    return Evidence(items=[ItemStory(key="k", kept=stored, unknown=set(unknown), found=list(found))])


@pytest.mark.parametrize(
    "as_it_may_be", [item(2, stored=2), item(3, stored=2, unknown=(3,)), item(unknown=(0,)), item()]
)
def test_an_item_is_what_its_client_was_told_or_could_not_know(as_it_may_be: Evidence) -> None:
    assert texts(as_it_may_be) == []


@pytest.mark.parametrize("wrong", [item(stored=2), item(1, stored=2), item(3, stored=2, unknown=(4,))])
def test_an_item_that_is_lost_or_older_than_was_told_is_found(wrong: Evidence) -> None:
    (text,) = texts(wrong)
    assert "of the possible versions" in text


def event(seq: int, method: str, data: Any) -> dict[str, Any]:
    return {"seq": seq, "method": method, "params": {"namespace": [], "data": data}}


def whole() -> list[dict[str, Any]]:
    """The events of a run of two steps."""
    customs = [event(number, "custom", {"payload": entry}) for number, entry in enumerate(done("run", 2), 2)]
    started, ended = (
        event(number, "lifecycle", {"event": name}) for number, name in ((1, "running"), (9, "completed"))
    )
    return [started, *customs, ended]


def told(replayed: list[dict[str, Any]] | None, live: list[dict[str, Any]] | None = None) -> Evidence:
    story = ToldStory(thread_id=THREAD, runs=["run"], live=live or [], replayed=replayed)
    return evidence(run(), thread=thread(), told=[story])


def test_events_that_are_whole_and_the_same_for_all_are_right() -> None:
    assert texts(told(whole(), whole()[:2])) == []
    assert texts(told(None, whole())) == [], "nobody answered"


@pytest.mark.parametrize(
    ("replayed", "text"),
    [
        (whole()[::-1], "came after event"),
        (whole()[:1] + whole()[2:], "no custom event run:0"),
        (whole()[:-1], "0 ends of 1 runs"),
    ],
)
def test_events_that_are_not_whole_are_found(replayed: list[dict[str, Any]], text: str) -> None:
    assert text in texts(told(replayed))[0]


def test_a_client_that_missed_an_event_is_found() -> None:
    assert "others were told" in texts(told(whole(), whole()[:1] + whole()[2:]))[0]
