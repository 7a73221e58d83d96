"""Requests to a server that may have been killed, and checks of what became of runs."""

from __future__ import annotations

from typing import Any

from tests.live_server import LiveServer

from .step_log import StepLog

STEPS = 4


def run_payload(step_log: StepLog, **changes: Any) -> dict[str, Any]:
    """A run of the graph `logged`. `changes`: fields of its input, and `keep`, `graph`, `extra`."""
    keep, extra = changes.pop("keep", True), changes.pop("extra", {})
    return {
        "assistant_id": changes.pop("graph", "logged"),
        "input": {"step_log": str(step_log.path), "steps": STEPS, "delay": 0.03, **changes},
        "on_completion": "keep" if keep else "delete",
        **extra,
    }


def submit_batch(server: LiveServer, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The accepted runs; raises httpx.HTTPError when they were not accepted, as far as one can know."""
    runs: list[dict[str, Any]] = server.post("/runs/batch", payloads)
    return runs


def join_run(server: LiveServer, run: dict[str, Any]) -> Any:
    """What the run answers, once it has ended."""
    return server.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")


def get_run(server: LiveServer, run: dict[str, Any]) -> dict[str, Any]:
    """The run as it is now."""
    found: dict[str, Any] = server.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}")
    return found


def attempt_of(run: dict[str, Any]) -> int:
    """At which attempt the run is or ended."""
    return int(run["kwargs"]["config"]["metadata"]["run_attempt"])


def threads_tagged(server: LiveServer, tag: str) -> list[dict[str, Any]]:
    """All threads whose runs have the tag in their metadata."""
    threads: list[dict[str, Any]] = server.post("/threads/search", {"metadata": {"tag": tag}, "limit": 1000})
    return threads


def assert_each_step_once(values: dict[str, Any], steps: int = STEPS) -> None:
    """Every step is in the values once, however often it was begun."""
    assert values["done"] == list(range(steps))
    assert sorted(values["sides"]) == ["left", "right"]
