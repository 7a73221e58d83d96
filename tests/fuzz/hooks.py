"""Keeps the requests that Schemathesis makes up interesting, short, and on this machine."""

from __future__ import annotations

import json
import re
import uuid
import zlib
from typing import Any
from urllib.parse import urlsplit

import schemathesis

from tests.fuzz.existing import Existing

GRAPHS = ("chain", "echo", "interrupting", "subgraphed", "configured", "failing", "shout", "two_asks")
"""Graphs that end whatever they are given."""
NOBODY = "http://127.0.0.1:9/"
"""Where no one listens: webhooks of made up runs must not reach anybody."""
ENDLESS = ("/threads/{thread_id}/stream", "/threads/{thread_id}/stream/events")
LEAP_DAY = "0 0 29 2 *"
LONGEST_DELAY = 0.1
KEY = re.compile(r'[!#-\[\]-~]{1,255}|"[ !#-\[\]-~]{1,255}"')
"""Keys that are valid."""
LARGEST_DELAY_ALLOWED = 3_155_760_000


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Gives streams the schema of an event: Schemathesis asks for it where the document has that of the whole text."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                stream = response.get("content", {}).get("text/event-stream", {})
                if "x-runyard-item-schema" in stream:
                    stream["schema"] = stream["x-runyard-item-schema"]
    for name, schema in raw_schema["components"]["schemas"].items():
        if name.endswith("Event") and "data" in schema.get("properties", {}):
            schema["properties"]["data"] = _as_text(schema["properties"]["data"])


def _as_text(data: dict[str, Any]) -> dict[str, Any]:
    """The schema of JSON in a text.

    Schemathesis cannot follow references from there, nor does it know tuples; the server under test holds those to the
    document itself.
    """
    text: dict[str, Any] = {"type": "string", "contentMediaType": "application/json"}
    written = json.dumps(data)
    return text if '"$ref"' in written or '"prefixItems"' in written else {**text, "contentSchema": data}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Changes what would be refused at once, or would never end, into what reaches the runtime."""
    for item in case.body if isinstance(case.body, list) else [case.body]:
        if isinstance(item, dict):
            if isinstance(params := item.get("params"), dict) and case.path.endswith("/commands"):
                item = params
            _name_a_graph(item, "assistant_id" if _makes_runs(case.path) else "graph_id")
            _shorten(item)
            _schedule(item)
    if case.operation.method == "post" and case.path in ("/threads", "/threads/{thread_id}/copy"):
        # An answer that is repeated tells of a thread that may have been deleted since.
        for name in [name for name in case.headers or () if name.lower() == "idempotency-key"]:
            if KEY.fullmatch(str(case.headers[name])):
                case.headers[name] = str(uuid.uuid4())
    if case.path in ENDLESS and _is_uuid(case.path_parameters.get("thread_id")):
        # The streams of a thread that exists have no end.
        case.path_parameters["thread_id"] = str(uuid.uuid4())


def _makes_runs(path: str) -> bool:
    return "/runs" in path or path.endswith("/commands")


def _name_a_graph(item: dict[str, Any], field: str) -> None:
    """Made up names of graphs, but for one in eight, become names of graphs."""
    name = item.get(field)
    if isinstance(name, str) and name not in GRAPHS and not _is_uuid(name):
        chosen = zlib.crc32(name.encode()) % 8
        if chosen:
            item[field] = GRAPHS[chosen]


def _shorten(item: dict[str, Any]) -> None:
    delay = item.get("after_seconds")
    if isinstance(delay, int | float) and LONGEST_DELAY < delay <= LARGEST_DELAY_ALLOWED:
        item["after_seconds"] = LONGEST_DELAY
    if _has_host(item.get("webhook")):
        item["webhook"] = NOBODY


def _schedule(item: dict[str, Any]) -> None:
    """Made up schedules, but for one in eight, become one that is not due while the server is asked."""
    schedule = item.get("schedule")
    if isinstance(schedule, str) and zlib.crc32(schedule.encode()) % 8:
        item["schedule"] = LEAP_DAY


def _has_host(target: Any) -> bool:
    try:
        return isinstance(target, str) and bool(urlsplit(target).hostname)
    except ValueError:
        return False


def _is_uuid(text: Any) -> bool:
    try:
        return str(uuid.UUID(str(text))) == str(text).lower()
    except ValueError:
        return False


_existing = Existing()


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Remembers what exists."""
    _existing.learn(case, response)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Leaves out what is meant to be so."""
    created_with = getattr(failure, "created_with", "")
    if created_with in ("POST /runs", "POST /runs/batch"):
        return False  # such a run is deleted at its end, unless it is to be kept
    if type(failure).__name__ == "EnsureResourceAvailability" and _existing.misses_what_was_made_up(
        case.body, response
    ):
        return False
    if type(failure).__name__ != "UseAfterFree":
        return True
    # Following a run that was deleted is answered by the error as the run's outcome.
    run_is_gone = b"404: Run not found" in (response.content or b"")
    return not run_is_gone and (case.path_parameters or {}).get("thread_id") not in _existing.brought_back
