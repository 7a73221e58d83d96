"""What the document says about answers: the status, headers, content type and body of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson

from runyard.handlers.contract.answers.frames import Frames, Lines
from runyard.handlers.contract.answers.schemas import Schemas
from runyard.handlers.contract.models import schema_properties
from runyard.handlers.contract.violations import describe_violations

Violations = Iterator[str]
"""What is wrong with an answer, each with its place."""


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
            kind: (Lines if kind == "application/jsonl" else Frames)(media["x-runyard-item-schema"], schemas)
            for kind, media in definition.get("content", {}).items()
            if "x-runyard-item-schema" in media
        }

    def frames(self, content_type: str) -> Frames | Lines | None:
        """What the events, or lines, of a stream of that type may be; None for what is no stream."""
        return self._frames.get(content_type)

    def check_head(self, headers: Mapping[str, str], content_type: str) -> Violations:
        """Headers, their names in small letters."""
        for name, (required, schema) in self._headers.items():
            if name in headers:
                if not schema.is_valid(headers[name]):
                    yield describe_violations(schema, headers[name], f"header.{name}")
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
        if (schema := self._content.get(content_type)) is None:
            return
        try:
            value = orjson.loads(body) if content_type == "application/json" else body.decode()
        except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
            yield f"body: it cannot be read: {error}"
            return
        if not schema.is_valid(value):
            yield describe_violations(schema, value, "answer")


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

    def socket(self, template: str | None) -> Lines | None:
        """What the frames may be that a WebSocket of the path sends; None where the path takes none."""
        for operation in self._paths.get(template, {}).values():
            if (declared := operation.get("x-runyard-websocket")) is not None:
                return Lines(declared["sends"], self._schemas[True])
        return None

    def selects_in_body(self, template: str | None, method: str) -> bool:
        """Whether the body of the request may ask for a part of the answer."""
        definition = self.definition(template, method) or {}
        content = definition.get("requestBody", {}).get("content", {}).get("application/json")
        return content is not None and "select" in schema_properties(content["schema"], self._components["schemas"])

    def _find(self, template: str | None, method: str, status: int, whole: bool) -> Answer | None:
        """What is declared for a status; None when it is not."""
        definition = self.definition(template, method)
        own = {} if definition is None else definition["responses"]
        answers = own if definition is not None and (status != 405 or "405" in own) else self._others
        found = answers.get(str(status)) or answers.get(f"{status // 100}XX")
        if found is None:
            return None
        if "$ref" in found:
            found = self._components["responses"][found["$ref"].rpartition("/")[2]]
        return Answer(found, self._components.get("headers", {}), self._schemas[whole])
