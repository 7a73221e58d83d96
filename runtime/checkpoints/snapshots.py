"""LangGraph's snapshot of a thread as the interface shows it."""

from collections.abc import Mapping
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt as GraphInterrupt
from langgraph.types import PregelTask, StateSnapshot

from runyard.generated.models import Interrupt, ThreadState, ThreadTask
from runyard.runtime.graphs.encoding import to_json

# Of the config of a checkpoint, what addresses it; the rest is LangGraph's own.
_POINTER = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")


def thread_state(snapshot: StateSnapshot) -> ThreadState:
    """A snapshot as JSON values; one without a checkpoint has no metadata and no parent (observed)."""
    exists = snapshot.created_at is not None
    configurable = snapshot.config["configurable"]
    checkpoint = pointer(snapshot.config)
    parent = pointer(snapshot.parent_config)
    if checkpoint is not None and "checkpoint_id" not in checkpoint:
        checkpoint = None
    return ThreadState(
        values=_plain(snapshot.values),
        next=list(snapshot.next),
        tasks=[_task(task) for task in snapshot.tasks],
        checkpoint=checkpoint,
        metadata=_plain({**(snapshot.metadata or {}), "thread_id": configurable["thread_id"]}) if exists else None,
        created_at=snapshot.created_at,
        parent_checkpoint=parent,
        interrupts=[_interrupt(interrupt) for task in snapshot.tasks for interrupt in task.interrupts],
        checkpoint_id=None if checkpoint is None else checkpoint["checkpoint_id"],
        parent_checkpoint_id=None if parent is None else parent["checkpoint_id"],
    )


def empty_state(thread_id: str, asked: Mapping[str, Any] | None) -> ThreadState:
    """The state of a thread on which nothing has run. The id of a checkpoint that was asked for is answered."""
    checkpoint_id = (asked or {}).get("checkpoint_id")
    checkpoint = {"checkpoint_id": checkpoint_id, "thread_id": thread_id} if checkpoint_id else None
    return ThreadState(
        values={},
        next=[],
        tasks=[],
        checkpoint=checkpoint,
        metadata=None,
        created_at=None,
        parent_checkpoint=None,
        interrupts=[],
        checkpoint_id=checkpoint_id,
        parent_checkpoint_id=None,
    )


def stored_values(snapshot: StateSnapshot) -> bytes | None:
    """The values that a thread shows, as JSON; None before the first checkpoint."""
    return None if snapshot.created_at is None else to_json(snapshot.values)


def stored_interrupts(snapshot: StateSnapshot) -> bytes:
    """The questions that a thread shows, as JSON: `{task id: [{"id", "value"}]}`."""
    asked = {task.id: [_question(item) for item in task.interrupts] for task in snapshot.tasks if task.interrupts}
    return to_json(asked)


def _question(interrupt: GraphInterrupt) -> dict[str, Any]:
    said: dict[str, Any] = {"id": interrupt.id, "value": interrupt.value}
    if interrupt.response_schema is not None:
        said["response_schema"] = interrupt.response_schema
    return said


def _task(task: PregelTask) -> ThreadTask:
    state = task.state
    return ThreadTask(
        id=task.id,
        name=task.name,
        path=_plain(task.path),
        error=_error(task.error),
        interrupts=[_interrupt(interrupt) for interrupt in task.interrupts],
        checkpoint=pointer(state) if isinstance(state, dict) else None,
        state=thread_state(state) if isinstance(state, StateSnapshot) else None,
        result=_plain(task.result),
    )


def _error(error: object) -> str | None:
    # A saver that cannot pack an exception keeps its text, which is the repr already.
    return error if error is None or isinstance(error, str) else repr(error)


def _interrupt(interrupt: GraphInterrupt) -> Interrupt:
    return Interrupt(id=interrupt.id, value=_plain(interrupt.value))


def pointer(config: RunnableConfig | None) -> dict[str, Any] | None:
    """Of a config, what says which checkpoint it is."""
    if config is None:
        return None
    configurable = config["configurable"]
    return {key: configurable[key] for key in _POINTER if key in configurable}


def _plain(value: Any) -> Any:
    return orjson.loads(to_json(value))
