"""What a caller that traces to LangSmith says of its trace, as LangGraph's `RemoteGraph` does: headers, of which runs
find the parts in their `configurable` (observed on the official server at POST /runs). With them a graph may continue
the trace.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from typing import Any, Final

import orjson

from runyard.handlers.http.scope import Header

TRACE: Final = "langsmith-trace"
"""The header without which there is no trace, and its key."""

_LONGEST: Final = 8192
"""Characters of a header, as W3C has it for baggage. What is taken is kept with each run of a request."""


def is_short(text: str) -> bool:
    """Whether a header may be kept with a run; longer ones are dropped."""
    return len(text) <= _LONGEST


def baggage_of(headers: Sequence[Header]) -> dict[str, Any]:
    """`langsmith-metadata`, `langsmith-tags` and `langsmith-project` of the baggage, as far as they can be read."""
    baggage = ",".join(value.decode("latin-1") for name, value in headers if name == b"baggage")
    found: dict[str, Any] = {}
    if not is_short(baggage):
        return found
    for item in baggage.split(","):
        key, _, value = item.partition("=")
        key, text = key.strip(), urllib.parse.unquote(value.strip())
        match key:
            case "langsmith-metadata":
                try:
                    metadata = orjson.loads(text)
                except orjson.JSONDecodeError:
                    continue
                if isinstance(metadata, dict):
                    found[key] = metadata
            case "langsmith-tags":
                found[key] = [tag for tag in text.split(",") if tag]
            case "langsmith-project" if text:
                found[key] = text
    return found
