"""Holds every answer against the document: its status, headers, content type and body, and each event of a stream.

For tests and for the development of the server itself; switched on by the setting `check_answers`. What it finds is
reported, and the client gets the answer all the same. Objects are closed here: a field that the schema does not name is
a violation, since it may be one that is misspelt, although clients have to put up with fields that they do not know.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Protocol
from urllib.parse import parse_qs

import jsonschema_rs
import orjson

from runyard.handlers.contract.models import schema_properties
from runyard.handlers.contract.violations import describe_violations
from runyard.handlers.http.scope import TEMPLATE, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

VIOLATION = "The answer violates the document"
"""How the log's line about a violation begins."""

_OPEN = ("additionalProperties", "unevaluatedProperties")
_FRAME_END = re.compile(rb"\r?\n\r?\n")
_STREAM = "text/event-stream"

Violations = Iterator[str]
"""What is wrong with an answer, each with its place."""


class ViolationCounter(Protocol):
    """Where violations are counted."""

    def answer_violated(self, operation: str) -> None:
        """An answer was not as the document says. `operation`: such as `GET /threads/{thread_id}`, or "other"."""


def closed(schema: Any) -> Any:
    """The schema, refusing fields that it does not name, but where it says itself which others there may be."""
    if not isinstance(schema, dict):
        return schema
    result = dict(schema)
    for keyword in ("properties", "patternProperties"):
        if keyword in schema:
            result[keyword] = {name: closed(each) for name, each in schema[keyword].items()}
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            result[keyword] = closed(schema[keyword])
    for keyword in ("anyOf", "oneOf", "prefixItems"):
        if keyword in schema:
            result[keyword] = [closed(each) for each in schema[keyword]]
    if "properties" in schema and not any(keyword in schema for keyword in _OPEN):
        result["unevaluatedProperties"] = False
    return result


class Schemas:
    """Compiles schemas of answers, closed. With `whole`, objects that `select` may cut down have to be complete."""

    def __init__(self, schemas: Mapping[str, Any], *, whole: bool) -> None:
        self._schemas: dict[str, dict[str, Any]] = {
            name: {"$ref": f"#/components/schemas/{schema['x-runyard-part-of']}"}
            if whole and "x-runyard-part-of" in schema
            else closed(schema)
            for name, schema in schemas.items()
        }

    def compile(self, schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
        """A validator of the closed schema."""
        compiled = {**closed(schema), "components": {"schemas": self._schemas}}
        return jsonschema_rs.Draft202012Validator(compiled, validate_formats=True)

    def alternatives(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The schemas between which `anyOf` leaves the choice, however it is nested."""
        target = self._schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        if "anyOf" not in target:
            yield target
        for each in target.get("anyOf", ()):
            yield from self.alternatives(each)


class Frames:
    """What the events of a stream may be: each has to fit one of the schemas that know its name."""

    def __init__(self, schema: Mapping[str, Any], schemas: Schemas) -> None:
        self._schemas = schemas
        self._whole = schemas.compile(schema)
        self._events = [*schemas.alternatives(schema)]

    def check(self, frame: bytes) -> Violations:
        """One event, without the empty line at its end."""
        event: dict[str, Any] = {}
        for line in frame.decode().splitlines():
            name, _, text = line.partition(": ")
            if name in event or name not in ("event", "data", "id", ""):
                yield f"stream: the line {line[:100]!r} is not one of an event"
            elif name:
                event[name] = text
        if not event:
            return  # a comment, which keeps the connection alive
        try:
            event["data"] = orjson.loads(event.get("data", ""))
        except orjson.JSONDecodeError as error:
            yield f"stream: the data of an event is not JSON: {error}"
            return
        if self._whole.is_valid(event):
            return
        called = event.get("event")
        known = [each for each in self._events if self._schemas.compile(each["properties"]["event"]).is_valid(called)]
        validators = [self._schemas.compile(each) for each in known]
        if not validators:
            yield f"stream: there is no event {called!r}"
        elif any(validator.is_valid(event) for validator in validators):
            yield describe_violations(self._whole, event, "stream")
        else:
            yield describe_violations(validators[0], event, "stream")


class Answer:
    """What one status of one operation looks like."""

    def __init__(self, definition: Mapping[str, Any], headers: Mapping[str, Any], schemas: Schemas) -> None:
        self._headers = {}
        for name, header in definition.get("headers", {}).items():
            header = headers[header["$ref"].rpartition("/")[2]] if "$ref" in header else header
            self._headers[name.lower()] = header.get("required", False), schemas.compile(header["schema"])
        self._content = {
            kind: schemas.compile(media.get("schema", {})) for kind, media in definition.get("content", {}).items()
        }
        self._frames = {
            kind: Frames(media["x-runyard-item-schema"], schemas)
            for kind, media in definition.get("content", {}).items()
            if "x-runyard-item-schema" in media
        }

    def frames(self, content_type: str) -> Frames | None:
        """What the events of a stream of that type may be; None for what is no stream."""
        return self._frames.get(content_type)

    def check_head(self, headers: Mapping[str, str], content_type: str) -> Violations:
        """Headers, their names in small letters."""
        for name, (required, validator) in self._headers.items():
            if name in headers:
                if not validator.is_valid(headers[name]):
                    yield describe_violations(validator, headers[name], f"header.{name}")
            elif required:
                yield f"header.{name} is required"
        if content_type not in (self._content or ("",)):
            yield f"the content type {content_type!r} is not declared"

    def check_body(self, content_type: str, body: bytes) -> Violations:
        """A complete body."""
        if not self._content:
            if body:
                yield "body: there is one, and none is declared"
            return
        if (validator := self._content.get(content_type)) is None:
            return
        try:
            value = orjson.loads(body) if content_type == "application/json" else body.decode()
        except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
            yield f"body: it cannot be read: {error}"
            return
        if not validator.is_valid(value):
            yield describe_violations(validator, value, "answer")


class Answers:
    """All that the document says about answers."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths = document["paths"]
        self._others = document["info"]["x-runyard-other-answers"]
        self._components = document["components"]
        self._schemas = {whole: Schemas(self._components["schemas"], whole=whole) for whole in (True, False)}
        self.find = cache(self._find)

    def definition(self, template: str | None, method: str) -> Mapping[str, Any] | None:
        """An operation; HEAD counts as GET."""
        found: Mapping[str, Any] | None = self._paths.get(template, {}).get(
            "get" if method == "HEAD" else method.lower()
        )
        return found

    def selects_in_body(self, template: str | None, method: str) -> bool:
        """Whether the body of the request may ask for a part of the answer."""
        definition = self.definition(template, method) or {}
        content = definition.get("requestBody", {}).get("content", {}).get("application/json")
        return content is not None and "select" in schema_properties(content["schema"], self._components["schemas"])

    def _find(self, template: str | None, method: str, status: int, whole: bool) -> Answer | None:
        """What is declared for a status; None when it is not."""
        definition = self.definition(template, method)
        answers = self._others if definition is None or status == 405 else definition["responses"]
        found = answers.get(str(status)) or answers.get(f"{status // 100}XX")
        if found is None:
            return None
        if "$ref" in found:
            found = self._components["responses"][found["$ref"].rpartition("/")[2]]
        return Answer(found, self._components.get("headers", {}), self._schemas[whole])


class Exchange:
    """One request and its answer, as far as it has come."""

    def __init__(self, answers: Answers, scope: Scope, report: Callable[[str], None]) -> None:
        self._answers = answers
        self._scope = scope
        self._report = report
        self._request = bytearray()
        self._body = bytearray()
        self._answer: Answer | None = None
        self._frames: Frames | None = None
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
            violations = self._stream(message.get("body", b""), self._frames)
        elif self._answer is not None and self._scope["method"] != "HEAD":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                violations = self._answer.check_body(self._content_type, bytes(self._body))
        for violation in violations:
            self._report(violation)

    def _begin(self, message: Message) -> Violations:
        status = message["status"]
        self._answer = self._answers.find(self._scope.get(TEMPLATE), self._scope["method"], status, not self._selects())
        if self._answer is None:
            yield f"the status {status} is not declared"
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in message.get("headers", ())}
        self._content_type = headers.get("content-type", "").partition(";")[0].strip()
        self._frames = self._answer.frames(self._content_type)
        yield from self._answer.check_head(headers, self._content_type)

    def _stream(self, part: bytes, frames: Frames) -> Violations:
        *complete, rest = _FRAME_END.split(bytes(self._body) + part)
        self._body[:] = rest
        for frame in complete:
            yield from frames.check(frame)

    def _selects(self) -> bool:
        if "select" in parse_qs(self._scope["query_string"].decode("latin-1"), keep_blank_values=True):
            return True
        try:
            body = orjson.loads(bytes(self._request))
        except orjson.JSONDecodeError:
            return False
        return isinstance(body, dict) and "select" in body


class AnswerCheckMiddleware:
    """Stands outside all else. Violations go to the log and to `metrics`; paths with one of `prefixes` are left out."""

    def __init__(
        self, app: Any, *, document: Mapping[str, Any], metrics: ViolationCounter, prefixes: tuple[str, ...]
    ) -> None:
        self.app = app
        self.answers = Answers(document)
        self.metrics = metrics
        self.prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self.prefixes):
            await self.app(scope, receive, send)
            return

        def report(violation: str) -> None:
            method, template = scope["method"], scope.get(TEMPLATE)
            logger.error("%s: %s %s: %s", VIOLATION, method, template or scope["path"], " ".join(violation.split()))
            # Labels that a client could make up would let the metrics grow without end.
            known = self.answers.definition(template, method) is not None
            self.metrics.answer_violated(f"{method} {template}" if known else "other")

        exchange = Exchange(self.answers, scope, report)

        async def checked_receive() -> Message:
            message = await receive()
            exchange.received(message)
            return message

        async def checked_send(message: Message) -> None:
            exchange.sent(message)
            await send(message)

        await self.app(scope, checked_receive, checked_send)
