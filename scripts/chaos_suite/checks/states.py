"""What threads hold and show at the end."""

from __future__ import annotations

from typing import Any

from scripts.chaos_suite.checks.endings import ACTIVE, entries
from scripts.chaos_suite.stories import Evidence, Finding, FoundThread, RunStory, ThreadStory


def deleted_threads(evidence: Evidence) -> list[Finding]:
    """Threads that are there after the answer to their deletion."""
    return [
        Finding(kind="deleted", text=f"deleted, and there with status {thread.found.status}", thread_id=thread_id)
        for thread_id, thread in evidence.threads.items()
        if thread.deleted is not None and thread.found is not None and thread.found.status is not None
    ]


def contents(evidence: Evidence) -> list[Finding]:
    """The steps of each run in its thread's values and in its state: all of a success, a beginning of what was stopped,
    nothing of what was rolled back."""
    findings = []
    for thread, found, runs in _settled(evidence):
        if found.state is None:
            findings.append(_of("wrong", "its state cannot be read", thread))
            continue
        shown, stored = _steps(found.values), _steps(found.state["values"])
        if shown != stored and found.status != "error":
            findings.append(_of("wrong", f"its values show {shown}, and its state {stored}", thread))
        last = {run.tag: run for run in runs}  # of an asking and a resumed run, the resumed one
        for run in last.values():
            findings += _content(run, entries(found.state["values"], run.tag), thread)
        findings += _order(runs, found, thread)
    return findings


def _steps(values: Any) -> list[str]:
    return (values or {}).get("done") or []


def _content(run: RunStory, done: tuple[str, ...], thread: ThreadStory) -> list[Finding]:
    assert run.found is not None
    status = run.found.status
    if status in ACTIVE:
        return []
    if status is None:
        wrong, kind, wanted = done != run.before, "rollback", f"{list(run.before)}, since it was rolled back"
        if not any(stop.rollback for stop in run.stops):
            return []  # lost, or its thread was deleted: said elsewhere
    elif status in ("success", "error") and (status == "error") == run.fails:
        wrong, kind, wanted = done != run.expected, "wrong", f"{list(run.expected)}"
    else:
        beginning = run.expected[: len(done)] == done and len(done) >= len(run.before)
        wrong, kind, wanted = not beginning, "wrong", f"a beginning of {list(run.expected)}"
    if not wrong:
        return []
    text = f"{run.graph} {run.tag} ({status or 'removed'}): its thread has {list(done)} of it instead of {wanted}"
    return [Finding(kind=kind, text=text, run_id=run.run_id, thread_id=thread.thread_id)]


def _order(runs: list[RunStory], found: FoundThread, thread: ThreadStory) -> list[Finding]:
    """Runs of one thread run one at a time, in the order of their creation."""
    tags = [entry.partition(":")[0] for entry in _steps(found.state["values"])]
    seen = list(dict.fromkeys(tags))
    if [tag for tag, other in zip(tags, [None, *tags], strict=False) if tag != other] != seen:
        return [_of("wrong", f"the steps of its runs are mixed: {tags}", thread)]
    order = [run.tag for run in runs]
    known = [tag for tag in seen if tag in order]
    if known != sorted(known, key=order.index):
        return [_of("wrong", f"its runs were executed in the order {known} instead of {order}", thread)]
    return []


def thread_statuses(evidence: Evidence) -> list[Finding]:
    """The status of each thread, held against the last of its runs that came to an end of its own."""
    findings = []
    for thread, found, runs in _settled(evidence):
        left = [run for run in runs if run.found is not None and run.found.status is not None]
        if any(run.found is not None and run.found.status in ACTIVE for run in left):
            continue
        if found.status == "busy":
            findings.append(_of("stuck", "busy, though no run of it is pending or running", thread))
            continue
        if not left:
            continue
        last = left[-1]
        assert last.found is not None
        wanted = {"success": "interrupted" if last.asks else "idle", "error": "error"}.get(last.found.status or "")
        if wanted is not None and found.status != wanted:
            text = f"shows {found.status}; its last run {last.run_id} ended in {last.found.status}"
            findings.append(_of("status", text, thread))
        if wanted == "interrupted" and not found.interrupts:
            findings.append(_of("rollback" if last is not runs[-1] else "status", "its question is not shown", thread))
    return findings


def _settled(evidence: Evidence) -> list[tuple[ThreadStory, FoundThread, list[RunStory]]]:
    """The threads that are there, with their runs in the order of acceptance, of which all are known."""
    by_thread: dict[str, list[RunStory]] = {}
    for run in sorted(evidence.runs, key=lambda run: run.accepted):
        by_thread.setdefault(run.thread_id, []).append(run)
    return [
        (thread, thread.found, runs)
        for thread_id, thread in evidence.threads.items()
        if thread.found is not None and thread.found.status is not None and not thread.uncertain
        for runs in [by_thread.get(thread_id, [])]
        if all(run.found is not None for run in runs) and not any(run.temporary for run in runs)
    ]


def _of(kind: str, text: str, thread: ThreadStory) -> Finding:
    return Finding(kind=kind, text=text, thread_id=thread.thread_id)
