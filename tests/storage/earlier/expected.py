"""What is expected of a data directory of an earlier revision: the JSON file beside each archive.

Rows of the API are kept as they were answered. Later revisions may add to them, so they are compared with `holds`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import orjson

HERE = Path(__file__).parent
PROJECT = HERE / "langgraph.json"
WORKERS = ("--workers", "1")
MAX_ATTEMPTS = 3


class RunName(TypedDict):
    thread_id: str
    run_id: str


class AcceptedRun(RunName):
    """A run that had not ended. temporary: it goes with its thread when it has ended, and only its answer is kept.
    status, answer: at its end, and what joining it answers then."""

    what: str
    temporary: bool
    status: str
    answer: Any


class ThreadAtRest(TypedDict):
    """A thread without runs that have not ended."""

    thread_id: str
    values: Any


class Stream(RunName):
    """The stored events of a resumable run, as [id, event, data]. complete: whether the run had ended."""

    events: list[list[Any]]
    complete: bool


class Paused(TypedDict):
    """A thread that is interrupted, what to resume it with, and the values it has then."""

    thread_id: str
    resume: Any
    values: Any


class Search(TypedDict):
    """Metadata to search threads by, and the threads that have it."""

    metadata: dict[str, Any]
    thread_ids: list[str]


class Delivery(TypedDict):
    """A webhook call that is due, or will be when its run has succeeded, and the values that it tells."""

    run_id: str
    values: Any


class Places(TypedDict):
    """Where the database has what holds only on the machine that wrote it, as [table, column]."""

    webhooks: list[list[str]]
    pids: list[list[str]]


class Expected(TypedDict):
    """accepted: runs that have to reach their ends. removed: a run that was to be rolled back. pending: a run that is
    due in many years. threads: as they are when the accepted runs have ended. reached: the states of threads whose runs
    end before they are done. ended_runs, settled_threads, histories
    (by thread), versions (by assistant): as they are, for good. items: what the graph `remembering` has in the store.
    """

    revision: str
    places: Places
    accepted: list[AcceptedRun]
    removed: list[RunName]
    pending: list[RunName]
    threads: list[ThreadAtRest]
    reached: list[ThreadAtRest]
    ended_runs: list[Any]
    settled_threads: list[Any]
    histories: dict[str, list[Any]]
    streams: list[Stream]
    paused: Paused
    searches: list[Search]
    versions: dict[str, list[Any]]
    items: dict[str, Any]
    deliveries: list[Delivery]


def nothing(revision: str) -> Expected:
    """To be filled, with the places of this checkout."""
    return {
        "revision": revision,
        "places": {"webhooks": [["deliveries", "url"], ["runs", "webhook"]], "pids": [["workers", "pid"]]},
        "accepted": [],
        "removed": [],
        "pending": [],
        "threads": [],
        "reached": [],
        "ended_runs": [],
        "settled_threads": [],
        "histories": {},
        "streams": [],
        "paused": {"thread_id": "", "resume": None, "values": None},
        "searches": [],
        "versions": {},
        "items": {},
        "deliveries": [],
    }


def revisions() -> list[str]:
    """The revisions that there are archives of."""
    return sorted(path.stem for path in HERE.glob("*.json") if path != PROJECT)


def archive(revision: str) -> Path:
    """The data directory that the revision wrote."""
    return HERE / f"{revision}.tar.gz"


def load(revision: str) -> Expected:
    """What is expected of it."""
    expected: Expected = orjson.loads((HERE / f"{revision}.json").read_bytes())
    return expected


def settings(gate: Path) -> dict[str, str]:
    """The environment of a server on such a directory, independent of defaults."""
    return {
        "GATE": str(gate),
        "RUNYARD_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
        "RUNYARD_RESULT_TTL": str(365 * 86_400),
    }


def holds(found: Any, wanted: Any) -> bool:
    """Whether all of `wanted` is in `found`: objects may have further members, at any depth."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            name in found and holds(found[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)
