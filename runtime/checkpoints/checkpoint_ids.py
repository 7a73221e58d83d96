"""The order of checkpoints, whatever the clocks of machines say.

LangGraph takes the checkpoint with the highest id as the latest of a thread, and an id begins with the time by the
clock of the process that made it. One whose clock is behind, or was set back, would write checkpoints older than those
that are there.
"""

import time

from langgraph.checkpoint.base import id as ids

LONGEST_STEP = 366 * 86_400
"""Seconds by which an id may be ahead of the clock here: a nonsensical one does not lead all others astray."""
_VERSION = 6
_EPOCH = 0x01B21DD213814000
"""The Unix epoch in the time of such ids, in steps of 100 ns."""


def stay_ahead_of(checkpoint_id: str) -> None:
    """Has this process make only higher ids from now on, as it does of its own anyway."""
    try:
        made = ids.UUID(hex=checkpoint_id)
    except ValueError:  # somebody else's kind of id
        return
    limit = time.time_ns() // 100 + _EPOCH + LONGEST_STEP * 10_000_000
    if made.version == _VERSION and (vars(ids).get("_last_v6_timestamp") or 0) < made.time < limit:
        vars(ids)["_last_v6_timestamp"] = made.time
