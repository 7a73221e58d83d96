"""The stream of a task: from the events of its run to those of A2A."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from runyard.handlers.http.event_stream import EventSubscription
from runyard.handlers.protocols.a2a.dialects import Dialect
from runyard.handlers.protocols.a2a.tasks import Message, Part, Status, Task, text_of
from runyard.handlers.protocols.json_rpc import RequestId, RpcError, error_message, result_message
from runyard.runtime.errors import RunyardError
from runyard.runtime.streams.events import Event


class TaskEvents:
    """Tells of a task as it is, then of each piece of what the agent says, and in the end what came of it."""

    def __init__(
        self,
        request_id: RequestId,
        dialect: Dialect,
        task: Task,
        run: EventSubscription,
        at_end: Callable[[], Awaitable[Task]],
    ) -> None:
        """`task`: how it is at the beginning; `at_end` tells how it is when its run has ended."""
        self._request_id = request_id
        self._dialect = dialect
        self._task = task
        self._run = run
        self._at_end = at_end
        self._begun = self._ended = False
        self._message_id: str | None = None
        self._text = ""

    async def next(self, timeout: float) -> list[Event] | None:
        """All events at hand; an empty list after `timeout` seconds of silence; None at the end."""
        if not self._begun:
            self._begun = True
            return [self._event(self._dialect.sent(self._task))]
        if self._ended:
            return None
        while (events := await self._run.next(timeout)) is not None:
            told = [self._event(each) for event in events if event.name == "messages" for each in self._told(event)]
            if told or not events:
                return told
        self._ended = True
        return await self._end()

    async def close(self) -> None:
        """Ends the stream; the run goes on."""
        await self._run.close()

    def _told(self, event: Event) -> Iterator[dict[str, Any]]:
        """What the agent has said so far, where a piece was added."""
        message, _ = orjson.loads(event.data)
        if message.get("type") not in ("AIMessageChunk", "ai"):
            return
        before = self._text if message.get("id") == self._message_id else ""
        piece = text_of(message.get("content"))
        text = before + piece if message["type"] == "AIMessageChunk" else piece
        if text == before or not text:
            return
        self._message_id, self._text = message.get("id"), text
        told = Message(str(uuid.uuid4()), "agent", [Part(text)])
        status = Status("working", datetime.now(UTC).isoformat(), told)
        yield self._dialect.status_update(self._task.task_id, status, final=False)

    async def _end(self) -> list[Event]:
        try:
            task = await self._at_end()
        except RunyardError as error:  # it was deleted meanwhile
            return [_event(error_message(self._request_id, RpcError.of(error)))]
        made = [self._dialect.artifact_update(task.task_id, parts) for parts in task.artifacts]
        last = self._dialect.status_update(task.task_id, task.status, final=True)
        return [self._event(each) for each in (*made, last)]

    def _event(self, result: dict[str, Any]) -> Event:
        return _event(result_message(self._request_id, result))


def _event(message: dict[str, Any]) -> Event:
    return Event("message", orjson.dumps(message))
