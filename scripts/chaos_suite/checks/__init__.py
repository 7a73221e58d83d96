"""The checks: from the evidence of a round to its findings. Pure, so that each is tested on made-up evidence."""

from __future__ import annotations

from collections.abc import Callable

from scripts.chaos_suite.checks import crons, endings, executions, kept, promises, states, streams, webhooks
from scripts.chaos_suite.stories import Evidence, Finding

Check = Callable[[Evidence], list[Finding]]

KINDS = {
    "lost": "accepted, but not at its end in time, or not there at all",
    "doubled": "a step executed by two attempts at once, or again after its success, or after the end of its run",
    "wrong": "a result or state that differs from what the graph gives in plain LangGraph",
    "failed": "a run in error whose graph did not raise",
    "cancelled": "a run that did not end as interrupted after an accepted cancel",
    "rollback": "a run, or something of it, that is there after an accepted rollback",
    "stuck": "a thread that is busy without a run",
    "status": "a thread's status that does not fit its last run",
    "stream": "a stream that ended in order without its tail, with gaps or out of order",
    "webhook": "a webhook that did not come, or of a run that nobody sent",
    "cron": "a moment of a cron that has made no run, or more than one",
    "deleted": "a thread that is there after its deletion",
    "atomic": "a batch of which a part is there",
    "counts": "a batch whose counts are not those of its runs",
    "repeated": "a request with an idempotency key that was carried out twice, or answered in two ways",
    "store": "an item of the store that is not as a client was told",
    "events": "events of a thread that are not whole, not in order, or not the same for all who read them",
    "order": "a run that a client waits for, overtaken by runs of batches",
    "late": "a run that is not at work again two seconds after the lease of its killed worker",
    "answer": "an answer with status 500, or not as the OpenAPI document says",
    "processes": "a server that ends by itself or does not come back, workers missing, processes left behind",
    "database": "a database that fails its own check, or holds what belongs to nothing",
}
"""What `Finding.kind` may be."""

CHECKS: tuple[Check, ...] = (
    executions.executed_at_once,
    executions.executed_again,
    executions.executed_after_the_end,
    endings.lost,
    endings.statuses,
    endings.atomic_batches,
    endings.answers,
    states.deleted_threads,
    states.contents,
    states.thread_statuses,
    streams.whole,
    webhooks.delivered,
    crons.exactly_once,
    promises.carried_out_once,
    promises.counts,
    promises.interactive_first,
    promises.recovered,
    kept.items,
    kept.told,
)


def judge(evidence: Evidence) -> list[Finding]:
    """All findings, those first that were made where they were seen."""
    return [*evidence.failures, *(finding for check in CHECKS for finding in check(evidence))]
