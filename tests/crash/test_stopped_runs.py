"""Stops and deaths together: a rollback of a run whose worker died, and restarts under nodes that resist."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.scope import Scope
from tests.live_server import LiveServer, StartServer, poll

from .client import run_payload
from .held_starts import HeldStarts
from .step_log import PROJECT, StepLog
from .stored_data import OpenStorage

RESISTING = ("swallows", "swallows all", "waits for", "own task", "deaf")


def thread_payload(step_log: StepLog, **changes: Any) -> dict[str, Any]:
    payload = run_payload(step_log, **changes)
    del payload["on_completion"]
    return payload


def thread_with_progress(server: LiveServer, step_log: StepLog) -> tuple[str, dict[str, Any]]:
    """A thread on which a run has ended, and what it shows."""
    thread_id = server.post("/threads", {})["thread_id"]
    server.post(f"/threads/{thread_id}/runs/wait", thread_payload(step_log, steps=1, delay=0.0))
    return thread_id, shown(server, thread_id)


def shown(server: LiveServer, thread_id: str) -> dict[str, Any]:
    thread, state = server.get(f"/threads/{thread_id}"), server.get(f"/threads/{thread_id}/state")
    history = server.post(f"/threads/{thread_id}/history", {"limit": 100})
    return {key: thread[key] for key in ("status", "values", "interrupts", "metadata")} | {
        "state": state,
        "history": history,
    }


@pytest.mark.parametrize("how", ["cancelled", "replaced"])
def test_a_rollback_undoes_what_a_run_did_before_its_worker_died(
    start_server: StartServer, step_log: StepLog, starts: HeldStarts, how: str
) -> None:
    server = start_server(config=PROJECT, args=("--workers", "1"), env=starts.env)
    thread_id, before = thread_with_progress(server, step_log)
    payload = thread_payload(step_log, steps=5000, delay=0.05)
    run = server.post(f"/threads/{thread_id}/runs", payload)
    place = f"/threads/{thread_id}/runs/{run['run_id']}"
    poll(lambda: len(server.get(f"/threads/{thread_id}/state")["values"]["done"]) > 4)
    with starts.held():
        for pid in server.workers():
            step_log.note_kill(pid)
            os.kill(pid, signal.SIGKILL)
        poll(lambda: server.get(place)["status"] == "pending", every=0.002)
        if how == "cancelled":
            assert server.http.post(f"{server.url}{place}/cancel?action=rollback").status_code == 202
        else:
            other = server.post(
                f"/threads/{thread_id}/runs", {**payload, "multitask_strategy": "rollback", "after_seconds": 3600}
            )
            server.http.delete(f"{server.url}/threads/{thread_id}/runs/{other['run_id']}")
        assert server.http.get(f"{server.url}{place}").status_code == 404
    assert shown(server, thread_id) == before


@pytest.mark.full
async def test_a_restart_neither_ends_runs_that_resist_it_nor_costs_them_an_attempt(
    start_server: StartServer, open_storage: OpenStorage, tmp_path: Path
) -> None:
    server = start_server(env={"RUNYARD_SHUTDOWN_GRACE": "0.1", "RUNYARD_MAX_ATTEMPTS": "1"})
    server.await_workers(2)
    runs = [
        server.post("/runs", {"assistant_id": "stubborn", "input": {"kind": kind, "after": str(tmp_path / "mark")}})
        for kind in RESISTING
    ]
    for _ in range(2):
        poll(lambda: server.metrics()["queue"]["running"] == len(runs))
        assert server.stop() == 0
        poll(lambda: not server.processes())
        storage = open_storage(server)
        for run in runs:
            found = await storage.runs.get(Scope.everything(), run["thread_id"], run["run_id"])
            assert found is not None
            assert found.status == "pending"
        server.start()
    assert not (tmp_path / "mark").exists()
    assert server.http.post(f"{server.url}/runs/cancel", json={"status": "all"}).status_code == 204
