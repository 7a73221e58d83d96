"""Server-sent events as plain HTTP brings them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

Event = tuple[str, str, Any]
"""(id, name, data)"""


def events(answer: httpx.Response) -> Iterator[Event]:
    """The events of a stream as they come. Raises httpx.HTTPError where it is cut."""
    answer.raise_for_status()
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line == "" and fields.get("event"):
            yield fields.get("id", ""), fields["event"], json.loads(fields.get("data") or "null")
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
