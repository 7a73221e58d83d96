"""The state that a run has reached, as its thread keeps it: reading it calls user code, such as reducers."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from langgraph.types import StateSnapshot

from runyard.runtime.checkpoints.readable_states import last_readable, read_state
from runyard.runtime.checkpoints.snapshots import stored_interrupts, stored_values
from runyard.runtime.errors import LeaseLost, RunyardError
from runyard.runtime.execution.graph_input import GraphRun, state_config
from runyard.runtime.execution.graph_outcome import UNREAD
from runyard.runtime.execution.stopping import forget_cancellation
from runyard.runtime.graphs.registry import Graph
from runyard.runtime.graphs.user_errors import one_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReachedState:
    """What a run that did not succeed has come to; see `GraphOutcome`."""

    values: bytes | None
    interrupts: bytes | None
    paused: bool
    readable: str | None = None


_NOTHING = ReachedState(None, b"{}", False)
UNKNOWN = ReachedState(UNREAD.values, UNREAD.interrupts, UNREAD.paused)
"""A state that cannot be read."""


async def reached_state(graph: Graph, run: GraphRun) -> ReachedState:
    """The last state that can be read; unknown where none can be: reducers are user code, and how the run ended is
    known already. Raises LeaseLost, and asyncio.CancelledError where the run was asked to stop."""
    try:
        try:
            snapshot, readable = await saved_state(graph, run), None
        except RunyardError:
            raise
        except (Exception, SystemExit) as error:
            assert run.checkpointer is not None
            found = await last_readable(graph, run.checkpointer, state_config(run), run.run_id)
            if found is None:
                raise
            readable, snapshot = found
            logger.warning(
                "run %s has left a state that cannot be read, and is cut back to its last readable one: %s",
                run.run_id,
                one_line(error),
            )
        if snapshot is None:
            return _NOTHING if readable is None else replace(UNKNOWN, readable=readable)
        return ReachedState(stored_values(snapshot), stored_interrupts(snapshot), bool(snapshot.next), readable)
    except LeaseLost:
        raise
    except BaseException as error:
        if run.stopped() and isinstance(error, asyncio.CancelledError):
            raise
        forget_cancellation()
        logger.warning("run %s: the state that it had reached cannot be read: %s", run.run_id, one_line(error))
        return UNKNOWN


async def saved_state(graph: Graph, run: GraphRun) -> StateSnapshot | None:
    """The state that the run's thread has now; None if nothing is kept of it."""
    if not _keeps_state(run) or graph.checkpointer is False:
        return None
    assert run.checkpointer is not None
    return await read_state(graph, run.checkpointer, state_config(run))


def _keeps_state(run: GraphRun) -> bool:
    return run.checkpointer is not None and not run.temporary
