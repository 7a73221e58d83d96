"""What is promised of requests that come again, of counts, of the order of work, and of the time of recovery."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from scripts.chaos_suite.checks.endings import ACTIVE
from scripts.chaos_suite.stories import STARTED, Evidence, Finding, Mark, RunStory
from scripts.chaos_suite.timing import AFTERMATH, LEASE_SECONDS

RECOVERY = LEASE_SECONDS + 1.0
"""Seconds after the death of a worker in which its runs are given to others."""
START = 1.0
"""Seconds from there to the first mark, on a machine that is busy."""
OVERTAKEN = 3
"""Runs of batches that may begin before one that somebody waits for: they were claimed already."""
MARGIN = 2.0
"""Seconds between a claim and the first mark of a run, on a machine that is busy."""


def carried_out_once(evidence: Evidence) -> list[Finding]:
    """A request with a key makes one run, and each of its senders is answered with that."""
    findings = []
    for story in evidence.keys:
        text = None
        if len(different := set(story.answers)) > 1:
            text = f"its senders were answered with {len(different)} runs: {', '.join(sorted(different))}"
        elif story.there is not None and story.there > 1:
            text = f"it has made {story.there} runs"
        elif story.refusals:
            text = f"it was refused: {story.refusals[0]}"
        if text is not None:
            findings.append(Finding(kind="repeated", text=f"key {story.key}: {text}", thread_id=story.thread_id))
    return findings


def counts(evidence: Evidence) -> list[Finding]:
    """A batch counts its runs right. One that was removed at its end counts as what its graph comes to."""
    runs = {run.run_id: run for run in evidence.runs}
    findings = []
    for story in evidence.counted:
        if story.counts is None:
            continue
        own = [runs[run_id] for run_id in story.runs if run_id in runs]
        if any(run.found is None or run.found.status in ACTIVE for run in own):
            continue
        wanted = Counter(_ended_as(run) for run in own)
        if {status: count for status, count in story.counts.items() if count} != dict(wanted):
            text = f"batch {story.batch_id} shows {story.counts}, and its runs are {dict(wanted)}"
            findings.append(Finding(kind="counts", text=text))
    return findings


def _ended_as(run: RunStory) -> str:
    assert run.found is not None
    return run.found.status or ("error" if run.fails else "success")


def interactive_first(evidence: Evidence) -> list[Finding]:
    """While a run waits whose client waits for it, no runs of batches are begun. Asked where no fault was near."""
    items = {run_id for story in evidence.counted for run_id in story.runs}
    begun = _first_marks(evidence)
    batch = sorted(mark.time for run_id, mark in begun.items() if run_id in items and mark.attempt == 1)
    findings = []
    for run in evidence.runs:
        mark = begun.get(run.run_id)
        if not run.awaited or mark is None or mark.attempt > 1 or _near(evidence, run.accepted, mark.time):
            continue
        before = sum(run.accepted + MARGIN < time < mark.time for time in batch)
        if before > OVERTAKEN:
            text = f"{before} runs of batches were begun while it waited {mark.time - run.accepted:.1f} s"
            findings.append(Finding(kind="order", text=text, run_id=run.run_id, thread_id=run.thread_id))
    return findings


def recovered(evidence: Evidence) -> list[Finding]:
    """A run whose worker was killed is at work again in time. Asked where no other fault was near."""
    return [
        Finding(
            kind="late",
            text=f"at work again {seconds:.1f} s after its worker was killed",
            run_id=mark.run_id,
            thread_id=mark.thread_id,
        )
        for seconds, mark in recoveries(evidence)
        if seconds > RECOVERY + START
    ]


def recoveries(evidence: Evidence) -> list[tuple[float, Mark]]:
    """How many seconds after the death of its worker a run was at work again, and its first mark then."""
    found = []
    for marks in _by_run(evidence).values():
        for last, first in pairwise(marks):
            died = evidence.deaths.get(last.pid)
            if died is None or first.attempt == last.attempt or not last.time <= died <= first.time:
                continue
            others = [fault for fault in evidence.faults if not fault.begin <= died <= fault.end]
            if not any(fault.begin <= first.time and fault.end + AFTERMATH >= died for fault in others):
                found.append((first.time - died, first))
    return found


def _near(evidence: Evidence, begin: float, end: float) -> bool:
    return any(fault.begin <= end and fault.end + AFTERMATH >= begin for fault in evidence.faults)


def _first_marks(evidence: Evidence) -> dict[str, Mark]:
    first: dict[str, Mark] = {}
    for mark in evidence.marks:
        if mark.what == STARTED and (mark.run_id not in first or mark.time < first[mark.run_id].time):
            first[mark.run_id] = mark
    return first


def _by_run(evidence: Evidence) -> dict[str, list[Mark]]:
    runs: defaultdict[str, list[Mark]] = defaultdict(list)
    for mark in sorted(evidence.marks, key=lambda mark: mark.time):
        runs[mark.run_id].append(mark)
    return runs
