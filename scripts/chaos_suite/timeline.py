"""What happened around a finding, in the order of time."""

from __future__ import annotations

from scripts.chaos_suite.stories import Evidence, Finding

_LONGEST = 60


def timeline(finding: Finding, evidence: Evidence) -> list[str]:
    """Lines of its run and thread: acceptance, marks, stops, ends, and the faults in between. Seconds count from the
    first of them."""
    runs = [
        run
        for run in evidence.runs
        if run.run_id == finding.run_id or (finding.thread_id and run.thread_id == finding.thread_id)
    ]
    ids = {run.run_id for run in runs} | {finding.run_id}
    lines: list[tuple[float, str]] = []
    for run in runs:
        lines.append((run.accepted, f"accepted: run {run.run_id}, {run.graph} {run.tag}"))
        lines += [(stop.answered, f"{stop.certainty}: {stop.how} of run {run.run_id}") for stop in run.stops]
        if run.ended is not None:
            lines.append((run.ended, f"its end was told: run {run.run_id}"))
    for mark in evidence.marks:
        if mark.run_id in ids:
            lines.append((mark.time, f"{mark.what} of step {mark.step}, attempt {mark.attempt}, process {mark.pid}"))
    thread = evidence.threads.get(finding.thread_id or "")
    if thread is not None and thread.deleted is not None:
        lines.append((thread.deleted, "its thread was deleted"))
    if not lines:
        return []
    begin, end = min(lines)[0], max(lines)[0]
    for fault in evidence.faults:
        if fault.end >= begin - 1 and fault.begin <= end + 10:
            lines.append((fault.begin, f"fault {fault.name} begins"))
            lines.append((fault.end, f"fault {fault.name} is over: {fault.detail}"))
    return [f"{time - begin:8.3f} s  {text}" for time, text in sorted(lines)[:_LONGEST]]
