"""Who executed what and when, told from the nodes' own marks."""

from __future__ import annotations

from collections import defaultdict

from scripts.chaos_suite.stories import STARTED, Evidence, FaultStory, Finding, Mark

GRACE = 6.0
"""Seconds that a worker has to hear of a stop, whose answer waits for 5 at most, and after a fault that kept it from
hearing."""
_GO_ON = {"blocking", "stubborn"}  # their nodes cannot be stopped: the one at work goes on, unseen, to its end


def executed_at_once(evidence: Evidence) -> list[Finding]:
    """An attempt that goes on after the next one has begun; two processes at one attempt."""
    graphs = {run.run_id: run.graph for run in evidence.runs}
    findings = []
    for run_id, marks in _by_run(evidence).items():
        begun: dict[int, Mark] = {}
        for mark in marks:
            first = begun.setdefault(mark.attempt, mark)
            if first.pid != mark.pid:
                text = f"attempt {mark.attempt} was executed by processes {first.pid} and {mark.pid}"
                findings.append(_finding("doubled", text, mark))
                break
            later = [other for attempt, other in begun.items() if attempt > mark.attempt]
            if later and not (mark.what != STARTED and graphs.get(run_id, "blocking") in _GO_ON):
                if mark.what == "stop":
                    continue  # it was told to stop, and did
                text = (
                    f"attempt {mark.attempt} in process {mark.pid} came to {mark.what} of step {mark.step}"
                    f" {mark.time - later[0].time:.3f} s after attempt {later[0].attempt} had begun in {later[0].pid}"
                )
                findings.append(_finding("doubled", text, mark))
                break
    return findings


def executed_again(evidence: Evidence) -> list[Finding]:
    """A step begun twice by one attempt; a stored step that was begun again by the next.

    What is stored is known where durability is `sync`: a step that another one has followed.
    """
    synced = {run.run_id for run in evidence.runs if run.synced}
    findings = []
    for run_id, marks in _by_run(evidence).items():
        begun: set[tuple[int, str]] = set()
        order: list[str] = []
        for mark in marks:
            if mark.what != STARTED:
                continue
            if (mark.attempt, mark.step) in begun:
                text = f"step {mark.step} was begun twice by attempt {mark.attempt}"
                findings.append(_finding("doubled", text, mark))
                break
            begun.add((mark.attempt, mark.step))
            followed = mark.step in order and any(_after(mark.step, step) for step in order)
            if run_id in synced and followed and mark.step not in ("left", "right"):
                text = f"step {mark.step} was begun again by attempt {mark.attempt} though a later step had begun"
                findings.append(_finding("doubled", text, mark))
                break
            order.append(mark.step)
    return findings


def executed_after_the_end(evidence: Evidence) -> list[Finding]:
    """A step begun after a client was told that its run had ended, or its thread was deleted."""
    over: dict[str, float] = {run.run_id: run.ended for run in evidence.runs if run.ended is not None}
    for run in evidence.runs:
        thread = evidence.threads.get(run.thread_id)
        times = [stop.answered for stop in run.stops if stop.rollback and stop.certainty == "accepted"]
        if thread is not None and thread.deleted is not None:
            times.append(thread.deleted)
        if times:
            over[run.run_id] = min(over.get(run.run_id, min(times)), *times)
    findings = []
    for run_id, marks in _by_run(evidence).items():
        late = [mark for mark in marks if mark.what == STARTED and mark.time > over.get(run_id, mark.time)]
        for mark in late:
            if not _excused(over[run_id], mark.time, evidence.faults):
                text = f"step {mark.step} was begun {mark.time - over[run_id]:.1f} s after the run's end was told"
                findings.append(_finding("doubled", text, mark))
                break
    return findings


def executed_after_the_round(marks: list[Mark], over: set[str]) -> list[Finding]:
    """Steps begun by runs that were at their end when an earlier round was judged."""
    late = {mark.run_id: mark for mark in reversed(marks) if mark.what == STARTED and mark.run_id in over}
    return [_finding("doubled", f"step {mark.step} was begun long after the run's end", mark) for mark in late.values()]


def _after(step: str, other: str) -> bool:
    """Whether `other` follows `step` in its graph, in a step of its own."""
    if step.isdecimal():
        return not other.isdecimal() or int(other) > int(step)
    order = ["first", "ask", "last"]
    return step in order and other in order and order.index(other) > order.index(step)


def _excused(end: float, begun: float, faults: list[FaultStory]) -> bool:
    """Whether the worker could not know: just after the end, or while a fault kept it from hearing, or just after."""
    if begun <= end + GRACE:
        return True
    return any(fault.holds and fault.begin <= begun <= fault.end + GRACE for fault in faults)


def _by_run(evidence: Evidence) -> dict[str, list[Mark]]:
    runs: defaultdict[str, list[Mark]] = defaultdict(list)
    for mark in sorted(evidence.marks, key=lambda mark: mark.time):
        runs[mark.run_id].append(mark)
    return runs


def _finding(kind: str, text: str, mark: Mark) -> Finding:
    return Finding(kind=kind, text=text, run_id=mark.run_id, thread_id=mark.thread_id)
