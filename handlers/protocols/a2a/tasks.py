"""Tasks, as both generations of A2A know them: what a run on a thread looks like from outside.

A context is a thread. A task is a run, with the id `thread:run`; a run that answers a task's question goes on with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson

from runyard.generated.models import Run, Thread
from runyard.handlers.protocols.json_rpc import RpcError
from runyard.runtime.config.ids import usual_id

State = Literal["submitted", "working", "input-required", "completed", "canceled", "failed"]
Role = Literal["user", "agent"]

MESSAGE: Final = "a2a_message"
"""Metadata of a run: the id of the message that it was made for."""
TASK: Final = "a2a_task"
"""Metadata of a run that goes on with a task: the run that the task began with."""

TASK_NOT_FOUND: Final = -32001
DONE: Final = "Task completed successfully"
"""What the status of a completed task says (observed at POST /a2a/{assistant_id})."""

_STATES: Final[dict[str, State]] = {
    "pending": "submitted",
    "running": "working",
    "success": "completed",
    "error": "failed",
    "timeout": "failed",
    "interrupted": "canceled",
}
_ROLES: Final[dict[str, Role]] = {"human": "user", "ai": "agent"}
"""By the type of a message in a state; others concern nobody outside."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message: a text, or where that is None, data."""

    text: str | None
    data: Any = None


@dataclass(frozen=True, slots=True)
class Message:
    """Something that one side said."""

    message_id: str
    role: Role
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Status:
    """How far a task is, since when, and what there is to say about it."""

    state: State
    timestamp: str
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class TaskId:
    """Which task: the thread and the run that it began with."""

    thread_id: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.thread_id}:{self.run_id}"

    @staticmethod
    def parse(text: str, context_id: str | None) -> TaskId:
        """Of `thread:run`, or of a run of the context. Raises RpcError."""
        thread, _, run = text.rpartition(":")
        found = usual_id(thread or context_id or ""), usual_id(run)
        if found[0] is None or found[1] is None or (context_id and usual_id(context_id) != found[0]):
            raise not_found(text)
        return TaskId(found[0], found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task at one moment. `artifacts`: the parts of each thing that it made."""

    task_id: TaskId
    status: Status
    history: Sequence[Message] = ()
    artifacts: Sequence[Sequence[Part]] = ()

    def with_last(self, messages: int | None) -> Task:
        """With so many messages of its history, the latest."""
        if messages is None:
            return self
        return replace(self, history=self.history[-messages:] if messages else ())


def not_found(task_id: str) -> RpcError:
    """The error for a task that there is not."""
    return RpcError(TASK_NOT_FOUND, f"Task not found: {task_id[:100]}")


def said(role: Role, *parts: Part) -> Message:
    """A message that is new."""
    return Message(str(uuid.uuid4()), role, parts)


def task_of(task_id: TaskId, run: Run, thread: Thread, *, is_latest: bool, whole: bool) -> Task:
    """The task that a run stands for, on its thread. `whole`: with the history of all the context."""
    messages = [*_messages(thread.values)]
    own = [*_own(messages, run.metadata.get(MESSAGE))]
    state = _STATES[run.status]
    told: Message | None = None
    if state == "completed":
        told = said("agent", Part(DONE))
        if is_latest and thread.status == "interrupted":
            state, told = "input-required", said("agent", *_questions(thread))
    elif state == "failed" and is_latest and thread.error is not None:
        told = said("agent", Part(f"{thread.error.error}: {thread.error.message}"))
    return Task(
        task_id=task_id,
        status=Status(state, run.updated_at, told),
        history=messages if whole else own,
        artifacts=[_artifact(own, thread.values)] if state == "completed" else (),
    )


def text_of(content: Any) -> str:
    """The text of a message's content."""
    return "".join(part.text or "" for part in _parts(content))


def _artifact(own: Sequence[Message], values: Any) -> Sequence[Part]:
    """The last that the agent has said for a task, or else what its state is."""
    for message in reversed(own):
        if message.role == "agent":
            return message.parts
    return [Part(None, {key: value for key, value in _mapping(values).items() if key != "messages"})]


def _questions(thread: Thread) -> Iterator[Part]:
    # Storage has them as JSON, not as the classes that the thread names.
    interrupts = orjson.loads(orjson.dumps(thread.interrupts or {}))
    asked = [interrupt["value"] for each in interrupts.values() for interrupt in each]
    for value in asked:
        yield Part(value) if isinstance(value, str) else Part(None, value)
    if not asked:
        yield Part("The graph has paused; any message lets it go on")


def _own(messages: Sequence[Message], first: str | None) -> Iterator[Message]:
    """From the message that a task began with to the next of the user; all where that message is not there."""
    start = next((place for place, message in enumerate(messages) if message.message_id == first), None)
    if start is None:
        yield from messages
        return
    yield messages[start]
    for message in messages[start + 1 :]:
        if message.role == "user":
            return
        yield message


def _messages(values: Any) -> Iterator[Message]:
    found = _mapping(values).get("messages")
    for message in found if isinstance(found, list) else ():
        role = _ROLES.get(_mapping(message).get("type", ""))
        if role is not None and (parts := [*_parts(message.get("content"))]):
            yield Message(str(message.get("id") or uuid.uuid4()), role, parts)


def _parts(content: Any) -> Iterator[Part]:
    for block in content if isinstance(content, list) else [content]:
        text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else block
        if isinstance(text, str) and text:
            yield Part(text)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
