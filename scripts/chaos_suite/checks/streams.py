"""Streams that the server ended in order, held against what the run did."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from scripts.chaos_suite.checks.endings import entries
from scripts.chaos_suite.stories import Evidence, Finding, RunStory, StreamStory


def whole(evidence: Evidence) -> list[Finding]:
    """A stream that ends in order has its tail and no gap, or says in an `error` event that it is not whole."""
    runs = {run.run_id: run for run in evidence.runs}
    findings = []
    for stream in evidence.streams:
        run = runs.get(stream.run_id)
        text = None if run is None else _unordered(stream) or _cut(stream, run)
        if text is not None and run is not None:
            said = (
                f"{run.graph} {run.tag}, {stream.how}, {'resumed when cut' if stream.replayed else 'read once'}: {text}"
            )
            findings.append(Finding(kind="stream", text=said, run_id=run.run_id, thread_id=run.thread_id))
    return findings


def _number(event_id: str | None) -> int:
    return int((event_id or "0").partition("-")[0])


def _is_first(name: str, data: Any) -> bool:
    """Whether the event is the first of its run."""
    return name == "metadata" and data.get("attempt") == 1


def _unordered(stream: StreamStory) -> str | None:
    numbers = [_number(event_id) for event_id, *_ in stream.events if event_id]
    for before, after in pairwise(numbers):
        if after <= before:
            return f"event {after} came after event {before}"
    return None


def _cut(stream: StreamStory, run: RunStory) -> str | None:
    if not stream.in_order or run.stops or run.found is None:
        return None
    if stream.by_sdk and not (stream.events and _is_first(*stream.events[0][1:])):
        return None
    failed = any(name.startswith("error") for _, name, _ in stream.events)
    if run.found.status == "error":
        return None if failed else "ended in order without saying that the run failed"
    if run.found.status != "success" or failed:
        return None
    values = [data for _, name, data in stream.events if name == "values"]
    if not values or entries(values[-1], run.tag) != run.expected:
        have = entries(values[-1], run.tag) if values else "none at all"
        return f"ended in order without its tail: the last values have {have} instead of {run.expected}"
    customs = {data for _, name, data in stream.events if name == "custom"}
    missing = [entry for entry in run.expected[len(run.before) :] if entry not in customs]
    return f"ended in order with gaps: no custom event {', '.join(missing)}" if missing else None
