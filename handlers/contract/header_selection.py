"""Which headers of a request the runs that it makes find in their `configurable`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from runyard.handlers.contract.trace_headers import BAGGAGE, TRACE, trace_of
from runyard.handlers.http.request_log import NEVER
from runyard.handlers.http.scope import Header
from runyard.runtime.config.project import HeaderFilter

SECRETS: Final = frozenset(
    ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-service-key", "x-tenant-id")
)
"""Headers that no pattern includes: they have to be named. What is included is kept with the run."""

_OF_BATCHES: Final = "x-batch-"
"""How headers begin that say something of a batch as a whole: they have to be named too, since each run of the batch
would be kept with all of them."""

_DEFAULT: Final = ("x-*",)
_RESERVED: Final = ("__", "langgraph_")
"""How keys begin that are the server's own."""
_REMEMBERED: Final = 256


def run_headers(patterns: HeaderFilter) -> Callable[[Iterable[Header]], dict[str, Any]]:
    """As `header_selector`, for the runs that a request makes: with those of a trace in LangSmith, taken apart, unless
    they are excluded."""
    select, excluded = header_selector(patterns), _matcher(patterns.excludes)
    traces = not excluded(TRACE)
    baggage = not excluded(BAGGAGE)

    def selected(headers: Iterable[Header]) -> dict[str, Any]:
        found: dict[str, Any] = select(headers)
        if traces:
            found |= trace_of(headers, baggage=baggage)
        return found

    return selected


def header_selector(patterns: HeaderFilter) -> Callable[[Iterable[Header]], dict[str, str]]:
    """A function from a request's headers to the selected ones by name; several of one name are joined by commas."""
    includes = _DEFAULT if patterns.includes is None else patterns.includes
    included, excluded = _matcher(includes), _matcher(patterns.excludes)
    known: dict[bytes, str | None] = {}

    def key_of(name: bytes) -> str | None:
        key = name.decode("latin-1").lower()
        if excluded(key) or key.startswith(_RESERVED) or not included(key):
            return None
        return None if (key in SECRETS or key.startswith(_OF_BATCHES)) and key not in includes else key

    def select(headers: Iterable[Header]) -> dict[str, str]:
        selected: dict[str, str] = {}
        for name, value in headers:
            if name in known:
                key = known[name]
            else:
                key = key_of(name)
                if len(known) < _REMEMBERED:  # clients may make up any number of names
                    known[name] = key
            if key is not None:
                text = value.decode("latin-1")
                selected[key] = f"{selected[key]}, {text}" if key in selected else text
        return selected

    return select


def logged_headers(patterns: HeaderFilter) -> Callable[[Iterable[Header]], dict[str, str]]:
    """As `header_selector`, for the log of requests: without what lets somebody in, and none that nobody names."""
    return header_selector(HeaderFilter(includes=patterns.includes or (), excludes=(*patterns.excludes, *NEVER)))


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a name fits one of the patterns, in which only `*` is special."""
    expressions = [".*".join(map(re.escape, pattern.lower().split("*"))) for pattern in patterns]
    compiled = re.compile("|".join(f"(?:{expression})" for expression in expressions) or r"(?!)", re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None
