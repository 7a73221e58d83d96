"""Holds every answer against the document: its status, headers, content type and body, and each event of a stream and
each frame of a WebSocket.

For tests and for the development of the server itself; switched on by the setting `check_answers`. What it finds is
reported, and the client gets the answer all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

import orjson

from runyard.handlers.contract.answers.declared import Answer, Answers, Violations
from runyard.handlers.contract.answers.frames import Frames, Lines
from runyard.handlers.http.scope import APP_ROUTE, TEMPLATE, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

VIOLATION = "The answer violates the document"
"""How the log's line about a violation begins."""


class ViolationCounter(Protocol):
    """Where violations are counted."""

    def answer_violated(self, operation: str) -> None:
        """An answer was not as the document says. `operation`: such as `GET /threads/{thread_id}`, or "other"."""


class Exchange:
    """One request and its answer, as far as it has come."""

    def __init__(self, answers: Answers, scope: Scope, report: Callable[[str], None]) -> None:
        self._answers = answers
        self._scope = scope
        self._report = report
        self._request = bytearray()
        self._body = bytearray()
        self._answer: Answer | None = None
        self._frames: Frames | Lines | None = None
        self._content_type = ""

    def received(self, message: Message) -> None:
        """A message of the request."""
        if self._answers.selects_in_body(self._scope.get(TEMPLATE), self._scope["method"]):
            self._request += message.get("body", b"")

    def sent(self, message: Message) -> None:
        """A message of the answer, before the client gets it."""
        violations: Violations = iter(())
        if message["type"] == "http.response.start":
            violations = self._begin(message)
        elif self._frames is not None:
            violations = self._stream(message.get("body", b""), self._frames, last=not message.get("more_body", False))
        elif self._answer is not None and self._scope["method"] != "HEAD":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                violations = self._answer.check_body(self._content_type, bytes(self._body))
        for violation in violations:
            self._report(violation)

    def _begin(self, message: Message) -> Violations:
        if self._scope.get(TEMPLATE) == APP_ROUTE:
            return  # the document says nothing of it
        status = message["status"]
        self._answer = self._answers.find(self._scope.get(TEMPLATE), self._scope["method"], status, not self._selects())
        if self._answer is None:
            yield f"the status {status} is not declared"
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in message.get("headers", ())}
        self._content_type = headers.get("content-type", "").partition(";")[0].strip()
        self._frames = self._answer.frames(self._content_type)
        yield from self._answer.check_head(headers, self._content_type)

    def _stream(self, part: bytes, frames: Frames | Lines, *, last: bool) -> Violations:
        *complete, rest = frames.end.split(bytes(self._body) + part)
        self._body[:] = rest
        for frame in complete:
            yield from frames.check(frame)
        if last and rest:
            yield f"stream: it ends in the middle: {rest[-100:]!r}"

    def _selects(self) -> bool:
        if "select" in parse_qs(self._scope["query_string"].decode("latin-1"), keep_blank_values=True):
            return True
        try:
            body = orjson.loads(bytes(self._request))
        except orjson.JSONDecodeError:
            return False
        return isinstance(body, dict) and "select" in body


class AnswerCheckMiddleware:
    """Stands outside all else that is ours. Violations go to the log and to `metrics`; paths with one of `prefixes` are
    left out."""

    def __init__(
        self, app: Any, *, document: Mapping[str, Any], metrics: ViolationCounter, prefixes: tuple[str, ...]
    ) -> None:
        self.app = app
        self.answers = Answers(document)
        self.metrics = metrics
        self.prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._check_socket(scope, receive, send)
            return
        if scope["type"] != "http" or scope["path"].startswith(self.prefixes):
            await self.app(scope, receive, send)
            return

        def report(violation: str) -> None:
            method, template = scope["method"], scope.get(TEMPLATE)
            self._report(violation, method, template, scope["path"], self.answers.definition(template, method))

        exchange = Exchange(self.answers, scope, report)

        async def checked_receive() -> Message:
            message = await receive()
            exchange.received(message)
            return message

        async def checked_send(message: Message) -> None:
            exchange.sent(message)
            await send(message)

        await self.app(scope, checked_receive, checked_send)

    async def _check_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        frames: Lines | None = None

        async def checked_send(message: Message) -> None:
            nonlocal frames
            if message["type"] == "websocket.send":
                frames = frames or self.answers.socket(scope.get(TEMPLATE))
                sent = message.get("text")
                faults = ("it is declared nowhere",) if frames is None or sent is None else frames.check(sent.encode())
                for fault in faults:
                    self._report(f"frame: {fault}", "WEBSOCKET", scope.get(TEMPLATE), scope["path"], frames)
            await send(message)

        await self.app(scope, receive, checked_send)

    def _report(self, violation: str, method: str, template: str | None, path: str, known: object) -> None:
        logger.error("%s: %s %s: %s", VIOLATION, method, template or path, " ".join(violation.split()))
        # Labels that a client could make up would let the metrics grow without end.
        self.metrics.answer_violated(f"{method} {template}" if known is not None else "other")
