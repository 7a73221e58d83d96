"""`kill -9` of anything at any moment: nothing is lost, and nothing runs twice at the same time."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from runyard.runtime.scope import Scope
from tests.live_server import LiveServer, StartServer, poll

from .client import assert_each_step_once, attempt_of, get_run, join_run, run_payload, submit_batch, threads_tagged
from .step_log import PROJECT, StepLog
from .stored_data import OpenStorage

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(900)]

BATCH = 60
EACH = ("worker", "server", "group")
MANY = ("worker", "server", "worker", "group", "worker", "server", "group")


class Chaos:
    """Submits batches and kills, and remembers what was accepted."""

    def __init__(self, server: LiveServer, step_log: StepLog, seed: int) -> None:
        self.server = server
        self.step_log = step_log
        self.rng = random.Random(seed)
        self.accepted: list[dict[str, Any]] = []
        self.tags: dict[str, bool] = {}
        """Batches that were sent when the server was killed, and whether they were accepted."""
        self.hits: list[int] = []
        """How many runs were running at each kill."""

    def fill(self) -> None:
        """Another batch; its runs are kept and temporary ones by turns."""
        payloads = [run_payload(self.step_log, keep=number % 2 == 0) for number in range(BATCH)]
        self.accepted += submit_batch(self.server, payloads)

    def _await_work(self) -> None:
        """Returns at a random moment at which runs are under way."""
        seen = self.step_log.started()
        poll(lambda: self.step_log.started() > seen + self.rng.randrange(120))
        self.hits.append(poll(self._running))

    def _running(self) -> int:
        queue = self.server.metrics()["queue"]
        if not queue["pending"] and not queue["running"]:
            self.fill()  # the machine was so busy that all had ended meanwhile
        running: int = queue["running"]
        return running

    def kill_worker(self) -> None:
        self._await_work()
        pid = self.rng.choice(self.server.await_workers(1))
        self.step_log.note_kill(pid)
        os.kill(pid, signal.SIGKILL)

    def kill_server(self) -> None:
        """The workers find out by themselves, and may still be there when the next server comes."""
        with self._submitting():
            self.server.kill()
        self.server.start()

    def kill_group(self) -> None:
        with self._submitting():
            self.step_log.note_kill(*(process.pid for process in self.server.processes()))
            self.server.kill_group()
        self.server.start()

    def _submitting(self) -> Submission:
        self._await_work()
        return Submission(self)


class Submission:
    """A batch that is on its way, or just accepted, when the server is killed."""

    def __init__(self, chaos: Chaos) -> None:
        self._chaos = chaos
        self._tag = f"tag {len(chaos.tags)}"
        self._thread = threading.Thread(target=self._submit)

    def _submit(self) -> None:
        chaos = self._chaos
        extra = {"metadata": {"tag": self._tag}}
        try:
            chaos.accepted += submit_batch(
                chaos.server, [run_payload(chaos.step_log, extra=extra) for _ in range(BATCH)]
            )
            chaos.tags[self._tag] = True
        except httpx.HTTPError:
            chaos.tags[self._tag] = False

    def __enter__(self) -> None:
        self._thread.start()
        time.sleep(self._chaos.rng.uniform(0.0, 0.04))  # the kill is to fall at random

    def __exit__(self, *_: object) -> None:
        self._thread.join()


async def test_nothing_is_lost_and_nothing_runs_twice_at_once(
    start_server: StartServer, open_storage: OpenStorage, step_log: StepLog, pytestconfig: pytest.Config
) -> None:
    # So many attempts that runs are never sent to a worker of their own: here kills are not the runs' fault.
    server = start_server(
        config=PROJECT, args=("--workers", "2", "--concurrency", "24"), env={"RUNYARD_MAX_ATTEMPTS": "100"}
    )
    chaos = Chaos(server, step_log, seed=4711)
    for action in MANY if pytestconfig.getoption("--full") else EACH:
        chaos.fill()
        getattr(chaos, f"kill_{action}")()
    server.await_idle()
    assert min(chaos.hits) > 0, "the kills have to hit live work"

    runs = {run["run_id"]: run for run in chaos.accepted}
    assert len(runs) == len(chaos.accepted)
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(runs, pool.map(lambda run: join_run(server, run), runs.values()), strict=True))
    for answer in answers.values():
        assert_each_step_once(answer)

    # A batch that was on its way is there as a whole or not at all, and if it is there, it has run.
    for tag, was_accepted in chaos.tags.items():
        threads = threads_tagged(server, tag)
        assert len(threads) == BATCH if was_accepted else len(threads) in (0, BATCH)
        for thread in threads:
            assert thread["status"] == "idle"
            assert_each_step_once(thread["values"])

    traces = step_log.traces()
    assert runs.keys() <= traces.keys()
    assert max(trace.attempt for trace in traces.values()) > 1
    for run_id, run in runs.items():
        if run["kwargs"]["temporary"]:
            assert server.http.get(f"{server.url}/threads/{run['thread_id']}").status_code == 404
            continue
        found = get_run(server, run)
        assert found["status"] == "success"
        assert attempt_of(found) >= traces[run_id].attempt
        thread = server.get(f"/threads/{run['thread_id']}")
        assert thread["status"] == "idle"
        assert_each_step_once(thread["values"])
        assert server.get(f"/threads/{run['thread_id']}/state")["values"] == thread["values"]

    batches = server.get("/batches?limit=1000")
    assert {run["batch_id"] for run in chaos.accepted} <= {batch["batch_id"] for batch in batches}
    for batch in batches:  # what the counts say is what is there
        statuses = Counter(run["status"] for run in server.get(f"/batches/{batch['batch_id']}/runs?limit=1000"))
        assert {status: count for status, count in batch["counts"].items() if count} == statuses == {"success": BATCH}
        assert batch["status"] == "completed"

    assert server.stop() == 0
    kept = open_storage(server)
    assert (
        await kept.runs.cancellable(Scope.everything(), thread_id=None, run_ids=None, status="all", limit=1)
    ).runs == []
    temporary = {run["thread_id"] for run in runs.values() if run["kwargs"]["temporary"]}
    left = {row.thread_id for row in await kept.checkpoints.history(None, None, before=None, limit=None)}
    assert not left & temporary, "a temporary thread leaves no checkpoints behind"
