"""What runs ended as, held against what was asked for."""

from __future__ import annotations

from scripts.chaos_suite.stories import Evidence, Finding, RunStory

ACTIVE = ("pending", "running")


def lost(evidence: Evidence) -> list[Finding]:
    """Runs that are not at their end, or that are not there though nothing has removed them."""
    findings = []
    for run in evidence.runs:
        if run.found is None:
            continue
        if run.found.status in ACTIVE:
            findings.append(_finding("lost", f"still {run.found.status} long after everything was quiet", run))
        elif run.found.status is None and not run.temporary and not _may_be_gone(run, evidence):
            findings.append(_finding("lost", "there is no such run", run))
        elif run.found.status is None and run.temporary and run.answer is None and not _may_be_gone(run, evidence):
            findings.append(_finding("lost", "temporary, removed, and its outcome is not there to be joined", run))
    return findings


def statuses(evidence: Evidence) -> list[Finding]:
    """The final status of each run that is there."""
    findings = []
    for run in evidence.runs:
        if run.found is None or run.found.status is None or run.found.status in ACTIVE:
            continue
        own, accepted = "error" if run.fails else "success", [s for s in run.stops if s.certainty == "accepted"]
        status = run.found.status
        for stop in accepted:
            if stop.rollback:
                findings.append(_finding("rollback", f"{stop.how} was accepted, and the run ended in {status}", run))
            elif status != "interrupted":
                findings.append(_finding("cancelled", f"{stop.how} was accepted, and the run ended in {status}", run))
        if accepted:
            continue
        allowed = {own} | {"interrupted" for stop in run.stops if not stop.rollback}
        if status not in allowed:
            kind = "failed" if status in ("error", "timeout") else "cancelled"
            findings.append(_finding(kind, f"ended in {status}; expected: {', '.join(sorted(allowed))}", run))
        elif status == own:
            findings += _outlived(run, evidence)
    return findings


def _outlived(run: RunStory, evidence: Evidence) -> list[Finding]:
    """A run that came to its own end though it was at work when a run that was to stop it had been accepted."""
    replaced = [stop for stop in run.stops if stop.by_run is not None]
    at_work = max((mark.time for mark in evidence.marks if replaced and mark.run_id == run.run_id), default=0.0)
    for stop in replaced:
        if at_work > stop.answered:
            kind = "rollback" if stop.rollback else "cancelled"
            text = (
                f"still at work {at_work - stop.answered:.3f} s after run {stop.by_run} with {stop.how} was accepted,"
                " and came to its own end"
            )
            return [_finding(kind, text, run)]
    return []


def answers(evidence: Evidence) -> list[Finding]:
    """What clients that waited or joined were answered, held against plain LangGraph."""
    findings = []
    for run in evidence.runs:
        answer = run.answer
        if answer is None or run.stops:
            continue
        error = answer.get("__error__") if isinstance(answer, dict) else None
        if run.fails:
            if error is None:
                findings.append(_finding("wrong", f"its graph raises, and it answered {answer}", run))
        elif error is not None:
            findings.append(_finding("failed", f"answered {error}", run))
        elif run.expected != (own := entries(answer, run.tag)):
            findings.append(_finding("wrong", f"answered {own} instead of {run.expected}", run))
        elif run.asks != ("__interrupt__" in answer):
            findings.append(_finding("wrong", f"its question is {'missing' if run.asks else 'new'} in {answer}", run))
    return findings


def atomic_batches(evidence: Evidence) -> list[Finding]:
    """Batches whose answer broke off are there as a whole, or not at all."""
    return [
        Finding(kind="atomic", text=f"batch {name}: {there} of its {sent} kept threads are there")
        for name, (sent, there) in evidence.batches.items()
        if there not in (0, sent)
    ]


def entries(values: object, tag: str) -> tuple[str, ...]:
    """What the run's tag has done, by the values of a state."""
    done = values.get("done") if isinstance(values, dict) else None
    return tuple(entry for entry in done or [] if entry.startswith(f"{tag}:"))


def _may_be_gone(run: RunStory, evidence: Evidence) -> bool:
    thread = evidence.threads.get(run.thread_id)
    deleted = thread is not None and (thread.deleted is not None or thread.maybe_deleted)
    return deleted or any(stop.rollback for stop in run.stops)


def _finding(kind: str, text: str, run: RunStory) -> Finding:
    return Finding(kind=kind, text=f"{run.graph} {run.tag}: {text}", run_id=run.run_id, thread_id=run.thread_id)
