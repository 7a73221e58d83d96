"""What a caller that traces to LangSmith says of its trace, as LangGraph's `RemoteGraph` does: headers, of which runs
find the parts in their `configurable` (observed on the official server at POST /runs). With them a graph may continue
the trace.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from typing import Any, Final

import orjson

from runyard.handlers.http.scope import Header

TRACE: Final = "langsmith-trace"
"""The header without which there is no trace, and its key."""
BAGGAGE: Final = "baggage"
LONGEST: Final = 8192
"""Characters of a header, as W3C has it for baggage; a longer one is dropped. What is taken is kept with each run of a
request."""

_TRACE: Final = TRACE.encode()
_BAGGAGE: Final = BAGGAGE.encode()


def trace_of(headers: Iterable[Header], *, baggage: bool) -> dict[str, Any]:
    """`langsmith-trace`, and of the `baggage` beside it `langsmith-metadata`, `langsmith-tags` and `langsmith-project`,
    as far as they can be read; nothing where there is no trace."""
    trace, carried = "", []
    for name, value in headers:
        if name == _TRACE:
            trace = value.decode("latin-1")
        elif name == _BAGGAGE:
            carried.append(value.decode("latin-1"))
    if not trace or len(trace) > LONGEST:
        return {}
    found: dict[str, Any] = {TRACE: trace}
    text = ",".join(carried)
    if baggage and len(text) <= LONGEST:
        for item in text.split(","):
            key, _, said = item.partition("=")
            _take(found, key.strip(), urllib.parse.unquote(said.strip()))
    return found


def _take(found: dict[str, Any], key: str, text: str) -> None:
    match key:
        case "langsmith-metadata":
            try:
                metadata = orjson.loads(text)
            except orjson.JSONDecodeError:
                return
            if isinstance(metadata, dict):
                found[key] = metadata
        case "langsmith-tags":
            found[key] = [tag for tag in text.split(",") if tag]
        case "langsmith-project" if text:
            found[key] = text
