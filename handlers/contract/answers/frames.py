"""What the events of a stream may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from runyard.handlers.contract.answers.schemas import Schemas
from runyard.handlers.contract.violations import describe_violations


class Lines:
    """What the lines of JSON Lines may be; empty ones keep the connection alive."""

    end = re.compile(rb"\n")

    def __init__(self, schema: Mapping[str, Any], schemas: Schemas) -> None:
        self._schema = schemas.compile(schema)

    def check(self, line: bytes) -> Iterator[str]:
        """One line, without its end."""
        if not line:
            return
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield f"line: it is not JSON: {error}"
            return
        if not self._schema.is_valid(value):
            yield describe_violations(self._schema, value, "line")


class Frames:
    """What the events of a stream may be: each has to fit one of the schemas that know its name."""

    end = re.compile(rb"\r?\n\r?\n")

    def __init__(self, schema: Mapping[str, Any], schemas: Schemas) -> None:
        self._schemas = schemas
        self._whole = schemas.compile(schema)
        self._events = [*schemas.alternatives(schema)]

    def check(self, frame: bytes) -> Iterator[str]:
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
        fitting = [self._schemas.compile(each) for each in known]
        if not fitting:
            yield f"stream: there is no event {called!r}"
        elif any(schema.is_valid(event) for schema in fitting):
            yield describe_violations(self._whole, event, "stream")
        else:
            yield describe_violations(fitting[0], event, "stream")
