"""Tries after errors and retries of items, while workers and servers are killed: each item ends, once, as it should."""

from __future__ import annotations

import json
import random
from typing import Any

import httpx
import pytest

from tests.live_server import LiveServer, StartServer, poll

from .client import STEPS, run_payload
from .step_log import PROJECT, StepLog

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

ITEMS = 40
FAILS = 2
"""How often each step of an item raises."""
ROUNDS = 3


def submit(server: LiveServer, step_log: StepLog, *, tries: int) -> str:
    """A batch of runs whose steps stumble; its id."""
    payloads = [
        run_payload(step_log, graph="stumbling", fails=FAILS, delay=0.02, keep=number % 2 == 0)
        for number in range(ITEMS)
    ]
    policy = {"tries": tries, "initial_interval": 0.05, "max_interval": 0.2}
    response = server.http.post(
        f"{server.url}/runs/batch", json=payloads, headers={"X-Batch-Retry": json.dumps(policy)}
    )
    response.raise_for_status()
    return str(response.json()[0]["batch_id"])


def batch_of(server: LiveServer, batch_id: str) -> dict[str, Any]:
    batch: dict[str, Any] = server.get(f"/batches/{batch_id}")
    return batch


def await_end(server: LiveServer, batch_id: str) -> None:
    poll(lambda: batch_of(server, batch_id)["status"] == "completed", within=90, every=0.1)


def results_of(server: LiveServer, batch_id: str) -> list[dict[str, Any]]:
    response = server.http.get(f"{server.url}/batches/{batch_id}/results")
    response.raise_for_status()
    return [json.loads(line) for line in response.text.splitlines() if line]


def disturb(server: LiveServer, step_log: StepLog, rng: random.Random) -> None:
    """Kills a worker, the server or all of it while steps are under way."""
    seen = step_log.started()
    poll(lambda: step_log.started() > seen + rng.randrange(1, 40))
    how = rng.choice(("worker", "worker", "server", "group"))
    if how == "worker":
        pid = rng.choice(server.await_workers(1))
        step_log.note_kill(pid)
        next(process for process in server.processes() if process.pid == pid).kill()
        return
    if how == "server":
        server.kill()
    else:
        step_log.note_kill(*(process.pid for process in server.processes()))
        server.kill_group()
    server.start()


def start(start_server: StartServer) -> LiveServer:
    return start_server(
        config=PROJECT, args=("--workers", "2", "--concurrency", "24"), env={"RUNYARD_MAX_ATTEMPTS": "100"}
    )


def test_tries_go_on_through_kills_and_none_is_lost_or_made_twice_at_once(
    start_server: StartServer, step_log: StepLog
) -> None:
    server, rng = start(start_server), random.Random(12)
    for _ in range(ROUNDS):
        # More than it takes: what a step raised may be lost with its worker, and is then no failed try.
        batch_id = submit(server, step_log, tries=1 + STEPS * FAILS)
        disturb(server, step_log, rng)
        disturb(server, step_log, rng)
        await_end(server, batch_id)
        found = results_of(server, batch_id)
        assert [line["index"] for line in found] == [*range(ITEMS)]
        assert {line["status"] for line in found} == {"success"}, [line["error"] for line in found]
        for line in found:
            assert line["values"]["done"] == [*range(STEPS)]
            assert 1 <= line["tries"] <= 1 + STEPS * FAILS
            assert line["attempts"] >= line["tries"]
        assert batch_of(server, batch_id)["counts"]["success"] == ITEMS
    step_log.traces()


def test_items_are_retried_once_however_often_that_is_cut_short(start_server: StartServer, step_log: StepLog) -> None:
    server, rng = start(start_server), random.Random(13)
    batch_id = submit(server, step_log, tries=1)
    await_end(server, batch_id)
    assert batch_of(server, batch_id)["counts"]["error"] == ITEMS
    # Each retry lets one more raise of each item pass.
    for _ in range(STEPS * FAILS):
        if batch_of(server, batch_id)["counts"]["error"] == 0:
            break
        try:
            server.http.post(f"{server.url}/batches/{batch_id}/retry").raise_for_status()
            if rng.random() < 0.5:
                disturb(server, step_log, rng)
            server.http.post(f"{server.url}/batches/{batch_id}/retry").raise_for_status()
        except httpx.TransportError:
            continue
        await_end(server, batch_id)
        counts = batch_of(server, batch_id)["counts"]
        found = results_of(server, batch_id)
        assert counts["error"] + counts["success"] == len(found) == ITEMS
        assert counts["success"] == sum(line["status"] == "success" for line in found)
    assert server.stop() == 0
    step_log.traces()
