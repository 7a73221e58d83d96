"""The trace that the request at hand belongs to, as it is written with the runs that the request makes."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

TRACE: Final = "trace"
"""Where a run's arguments hold it: the headers `traceparent` and `tracestate` of W3C Trace Context."""

current_trace: ContextVar[dict[str, str] | None] = ContextVar("runyard_trace", default=None)
"""None: traces are off, or no request is at hand."""


def trace_argument() -> dict[str, Any]:
    """What is added to the arguments of a run that the request at hand makes."""
    trace = current_trace.get()
    return {} if trace is None else {TRACE: trace}


def without_trace(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a run for another one, which another request makes."""
    return {key: value for key, value in kwargs.items() if key != TRACE}
