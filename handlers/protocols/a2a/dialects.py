"""How the generations of A2A write the same: 0.3 with methods like `message/send`, 1.0 with `SendMessage`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from runyard.handlers.protocols.a2a.tasks import Message, Part, Status, Task, TaskId
from runyard.handlers.protocols.json_rpc import RpcError

CONTENT_NOT_SUPPORTED: Final = -32005

METHODS: Final[Mapping[str, tuple[bool, str]]] = {
    "message/send": (False, "send"),
    "message/stream": (False, "stream"),
    "tasks/get": (False, "get"),
    "tasks/cancel": (False, "cancel"),
    "tasks/resubscribe": (False, "subscribe"),
    "SendMessage": (True, "send"),
    "SendStreamingMessage": (True, "stream"),
    "GetTask": (True, "get"),
    "ListTasks": (True, "list"),
    "CancelTask": (True, "cancel"),
    "SubscribeToTask": (True, "subscribe"),
}
"""By the name of a method: whether it is one of 1.0, and what it does."""


class Dialect:
    """Writes messages and tasks for clients of one generation. `assistant_id`: whose they are."""

    def __init__(self, assistant_id: str, *, is_modern: bool) -> None:
        self.assistant_id = assistant_id
        self.is_modern = is_modern

    def sent(self, task: Task) -> dict[str, Any]:
        """What sending a message answers, and how a stream begins."""
        return {"task": self.task(task)} if self.is_modern else self.task(task)

    def task(self, task: Task) -> dict[str, Any]:
        """A task as a whole."""
        written: dict[str, Any] = {
            "id": str(task.task_id),
            "contextId": task.task_id.thread_id,
            "status": self._status(task.status, task.task_id),
            "history": [self._message(message, task.task_id) for message in task.history],
        }
        if task.artifacts:
            written["artifacts"] = [self._artifact(parts) for parts in task.artifacts]
        return self._of_kind("task", written)

    def status_update(self, task_id: TaskId, status: Status, *, final: bool) -> dict[str, Any]:
        """A task is further than before."""
        written = {
            "taskId": str(task_id),
            "contextId": task_id.thread_id,
            "status": self._status(status, task_id),
            **({} if self.is_modern else {"final": final}),
        }
        return {"statusUpdate": written} if self.is_modern else self._of_kind("status-update", written)

    def artifact_update(self, task_id: TaskId, parts: Sequence[Part]) -> dict[str, Any]:
        """A task has made something."""
        written = {
            "taskId": str(task_id),
            "contextId": task_id.thread_id,
            "artifact": self._artifact(parts),
            "append": False,
            "lastChunk": True,
        }
        return {"artifactUpdate": written} if self.is_modern else self._of_kind("artifact-update", written)

    def _of_kind(self, kind: str, written: dict[str, Any]) -> dict[str, Any]:
        return written if self.is_modern else {"kind": kind, **written}

    def _artifact(self, parts: Sequence[Part]) -> dict[str, Any]:
        return {
            "artifactId": str(uuid.uuid4()),
            "name": "Assistant Response",
            "description": f"Response from assistant {self.assistant_id}",
            "parts": [*map(self._part, parts)],
        }

    def _status(self, status: Status, task_id: TaskId) -> dict[str, Any]:
        state = f"TASK_STATE_{status.state.upper().replace('-', '_')}" if self.is_modern else status.state
        written: dict[str, Any] = {"state": state, "timestamp": status.timestamp}
        if status.message is not None:
            written["message"] = self._message(status.message, task_id)
        return written

    def _message(self, message: Message, task_id: TaskId) -> dict[str, Any]:
        return self._of_kind(
            "message",
            {
                "role": f"ROLE_{message.role.upper()}" if self.is_modern else message.role,
                "parts": [*map(self._part, message.parts)],
                "messageId": message.message_id,
                "taskId": str(task_id),
                "contextId": task_id.thread_id,
            },
        )

    def _part(self, part: Part) -> dict[str, Any]:
        if part.text is None:
            return self._of_kind("data", {"data": part.data})
        return self._of_kind("text", {"text": part.text})


def state_of(name: str) -> str:
    """The state that a client of 1.0 names."""
    return name.removeprefix("TASK_STATE_").lower().replace("_", "-")


def read_message(given: Mapping[str, Any]) -> Message:
    """A message of a client, of either generation. Raises RpcError for parts that a graph is not given."""
    parts = []
    for part in given["parts"]:
        if "text" in part:
            parts.append(Part(part["text"]))
        elif "data" in part:
            parts.append(Part(None, part["data"]))
        else:
            raise RpcError(CONTENT_NOT_SUPPORTED, "Parts have to be text or data; files are not supported")
    return Message(given["messageId"], "user", parts)


def as_input(message: Message) -> dict[str, Any]:
    """The message as one of the list that a graph takes. Data is told as JSON."""
    texts = [orjson.dumps(part.data).decode() if part.text is None else part.text for part in message.parts]
    content = texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]
    return {"role": "user", "content": content, "id": message.message_id}


def as_answer(message: Message) -> Any:
    """The message as the answer to a question of a graph."""
    values = [part.data if part.text is None else part.text for part in message.parts]
    return values[0] if len(values) == 1 else values
