"""States that are read although a part of them cannot be.

Reading runs user code: reducers, the classes of a state, branches. What those raise about the values of one checkpoint
says nothing about the ones before it.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import StateSnapshot

from runyard.runtime.errors import RunyardError
from runyard.runtime.graphs.registry import Graph
from runyard.runtime.graphs.user_errors import one_line

logger = logging.getLogger(__name__)

LOOK_BACK: Final = 50
"""Checkpoints among which the last readable one is looked for."""


async def read_state(
    graph: Graph, saver: BaseCheckpointSaver[Any], config: RunnableConfig, *, subgraphs: bool = False
) -> StateSnapshot:
    """The state that `config` names; of the latest one the record of its step, when what its tasks have written since
    cannot be applied. Raises what user code raises about it."""
    try:
        return await graph.aget_state(config, subgraphs=subgraphs)
    except RunyardError:
        raise
    except (Exception, SystemExit) as error:
        record = await _record(saver, config)
        if record is None:
            raise
        try:
            snapshot = await graph.aget_state(record, subgraphs=subgraphs)
        except (Exception, SystemExit):  # noqa: BLE001 - the same user code
            raise error from None
        logger.warning(
            "thread %s: what the tasks of its latest step have written cannot be applied: %s",
            config["configurable"]["thread_id"],
            one_line(error),
        )
        return snapshot


async def _record(saver: BaseCheckpointSaver[Any], config: RunnableConfig) -> RunnableConfig | None:
    """The config that names the latest checkpoint by its id; None when `config` names one already."""
    if config["configurable"].get("checkpoint_id"):
        return None
    latest = await saver.aget_tuple(config)
    return None if latest is None else _at(config, latest.checkpoint["id"])


async def last_readable(
    graph: Graph, saver: BaseCheckpointSaver[Any], config: RunnableConfig, run_id: str
) -> tuple[str, StateSnapshot | None] | None:
    """The checkpoint up to which a run has left states that can be read, and the state there; without a state, the
    one that it found ("": none), since it did not get past its input. None when it got further and none of its states
    can be read: then it need not be their values that are wrong."""
    refused = 0
    async for found in saver.alist(config, limit=LOOK_BACK):
        checkpoint_id = found.checkpoint["id"]
        if found.metadata.get("run_id") != run_id:
            return (checkpoint_id, None) if refused <= 1 else None
        if found.metadata.get("source") == "input":
            continue  # the step after it applies the input
        try:
            return checkpoint_id, await graph.aget_state(_at(config, checkpoint_id))
        except RunyardError:
            raise
        except (Exception, SystemExit):  # noqa: BLE001 - user code; what is wrong has been said of the latest
            refused += 1
    return ("", None) if refused <= 1 else None


def _at(config: RunnableConfig, checkpoint_id: str) -> RunnableConfig:
    return {**config, "configurable": {**config["configurable"], "checkpoint_id": checkpoint_id}}
