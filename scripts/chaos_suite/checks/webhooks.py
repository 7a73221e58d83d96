"""Webhooks that came, and that should have come."""

from __future__ import annotations

from scripts.chaos_suite.stories import Evidence, Finding


def delivered(evidence: Evidence) -> list[Finding]:
    """Each run that came to its own end has sent its webhook, with its status; nobody else has.

    More than once is allowed: a crash between the receiver's answer and the note of it sends it again.
    """
    findings = []
    came: dict[str, set[str]] = {}
    for hook in evidence.webhooks:
        came.setdefault(hook.run_id, set()).add(hook.status)
        if hook.tag not in evidence.tags:
            findings.append(Finding(kind="webhook", text=f"of a run that nobody sent: {hook}", run_id=hook.run_id))
    for run in evidence.runs:
        statuses = came.get(run.run_id, set())
        if run.found is None:
            continue
        thread = evidence.threads.get(run.thread_id)
        if thread is not None and (thread.deleted is not None or thread.maybe_deleted):
            continue
        if run.webhook and not statuses and run.found.status in ("success", "error", "timeout"):
            findings.append(
                Finding(
                    kind="webhook",
                    text=f"{run.graph} {run.tag} ended in {run.found.status} and sent none",
                    run_id=run.run_id,
                    thread_id=run.thread_id,
                )
            )
        elif statuses and not run.temporary and run.found.status not in (None, *statuses):
            findings.append(
                Finding(
                    kind="webhook",
                    text=f"said {', '.join(sorted(statuses))}, and the run ended in {run.found.status}",
                    run_id=run.run_id,
                    thread_id=run.thread_id,
                )
            )
    return findings
