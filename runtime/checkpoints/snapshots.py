"""LangGraph's snapshot of a thread as the interface shows it."""

from typing import Any

import orjson
from langgraph.types import Interrupt as GraphInterrupt
from langgraph.types import PregelTask, StateSnapshot

from runyard.generated.models import Interrupt, ThreadState, ThreadTask
from runyard.runtime.checkpoints.addresses import checkpoint_address
from runyard.runtime.graphs.encoding import to_json
from runyard.runtime.graphs.user_errors import bounded, error_repr


def thread_state(snapshot: StateSnapshot) -> ThreadState:
    """A snapshot as JSON values; one without a checkpoint has no metadata and no parent (observed at
    GET /threads/{thread_id}/state)."""
    exists = snapshot.created_at is not None
    configurable = snapshot.config["configurable"]
    checkpoint = checkpoint_address(snapshot.config)
    parent = checkpoint_address(snapshot.parent_config)
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


def stored_values(snapshot: StateSnapshot) -> bytes | None:
    """The values that a thread shows, as JSON; None before the first checkpoint."""
    return None if snapshot.created_at is None else to_json(snapshot.values)


def stored_interrupts(snapshot: StateSnapshot) -> bytes:
    """The questions that a thread shows, as JSON: `{task id: [{"id", "value"}]}`."""
    asked = {task.id: [_question(item) for item in task.interrupts] for task in snapshot.tasks if task.interrupts}
    return to_json(asked)


def _question(interrupt: GraphInterrupt) -> dict[str, Any]:
    said: dict[str, Any] = {"id": interrupt.id, "value": interrupt.value}
    # Older LangGraph has no schemas of answers.
    if (schema := getattr(interrupt, "response_schema", None)) is not None:
        said["response_schema"] = schema
    return said


def _task(task: PregelTask) -> ThreadTask:
    state = task.state
    return ThreadTask(
        id=task.id,
        name=task.name,
        path=_plain(task.path),
        error=_error(task.error),
        interrupts=[_interrupt(interrupt) for interrupt in task.interrupts],
        checkpoint=checkpoint_address(state) if isinstance(state, dict) else None,
        state=thread_state(state) if isinstance(state, StateSnapshot) else None,
        result=_plain(task.result),
    )


def _error(error: object) -> str | None:
    # A saver that cannot pack an exception keeps its text, which is the repr already.
    return error_repr(error) if isinstance(error, BaseException) else None if error is None else bounded(str(error))


def _interrupt(interrupt: GraphInterrupt) -> Interrupt:
    return Interrupt(id=interrupt.id, value=_plain(interrupt.value))


def _plain(value: Any) -> Any:
    return orjson.loads(to_json(value))
