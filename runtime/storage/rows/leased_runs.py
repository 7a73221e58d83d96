"""Rows of runs that have been claimed, as workers take them on."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from runyard.runtime.storage.port.queue import Lease, LeasedRun
from runyard.runtime.storage.port.retries import RetryPolicy
from runyard.runtime.storage.port.runs import Interest, Lane


class Claim(NamedTuple):
    """What the leases of one claim have in common."""

    worker: str
    token: int


def leased_run(claim: Claim, row: Sequence[Any], retry: RetryPolicy | None, *, fresh: bool = False) -> LeasedRun:
    """`row` is what the statements of claims return, from `seq` to `creator`."""
    seq, run_id, thread_id, attempt, assistant_id, graph_id, lane, temporary, resumable, *rest = row
    interest, cancel, metadata, kwargs, user, waited, batch_id, failed, creator = rest
    return LeasedRun(
        lease=Lease(seq, claim.worker, attempt, claim.token, run_id, thread_id),
        assistant_id=assistant_id,
        graph_id=graph_id,
        kwargs=orjson.loads(kwargs),
        metadata=orjson.loads(metadata),
        lane=Lane(lane),
        temporary=bool(temporary),
        resumable=bool(resumable),
        interest=Interest(interest),
        cancel=cancel,
        user=user,
        waited=waited / 1e6,
        batch_id=batch_id,
        retry=retry,
        failed=failed,
        creator=creator,
        fresh=fresh,
    )
