"""`kill -9` of anything at any moment: nothing is lost, and nothing runs twice at the same time."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.conftest import StartServer
from tests.live_server import LiveServer, poll

from .client import assert_right, find, join, payload, submit, threads_tagged
from .conftest import PROJECT, OpenStorage
from .marks import Marks

BATCH = 60


class Chaos:
    """Submits batches and kills, and remembers what was accepted."""

    def __init__(self, server: LiveServer, marks: Marks, seed: int) -> None:
        self.server = server
        self.marks = marks
        self.rng = random.Random(seed)
        self.accepted: list[dict[str, Any]] = []
        self.tags: dict[str, bool] = {}
        """Batches that were sent when the server was killed, and whether they were accepted."""
        self.hits: list[int] = []
        """How many runs were running at each kill."""

    def fill(self) -> None:
        """Another batch; its runs are kept and temporary ones by turns."""
        payloads = [payload(self.marks, keep=number % 2 == 0) for number in range(BATCH)]
        self.accepted += submit(self.server, payloads)

    def _await_work(self) -> None:
        """Returns at a random moment at which runs are under way."""
        seen = self.marks.started()
        poll(lambda: self.marks.started() > seen + self.rng.randrange(120), within=30)
        self.hits.append(poll(lambda: self.server.metrics()["queue"]["running"], within=30))

    def kill_worker(self) -> None:
        self._await_work()
        pid = self.rng.choice(self.server.await_workers(1))
        self.marks.note_kill(pid)
        os.kill(pid, signal.SIGKILL)

    def kill_server(self) -> None:
        """The workers find out by themselves, and may still be there when the next server comes."""
        with self._submitting():
            self.server.kill()
        self.server.start()

    def kill_group(self) -> None:
        with self._submitting():
            self.marks.note_kill(*(process.pid for process in self.server.processes()))
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
            chaos.accepted += submit(chaos.server, [payload(chaos.marks, extra=extra) for _ in range(BATCH)])
            chaos.tags[self._tag] = True
        except httpx.HTTPError:
            chaos.tags[self._tag] = False

    def __enter__(self) -> None:
        self._thread.start()
        time.sleep(self._chaos.rng.uniform(0.0, 0.04))  # the kill is to fall at random

    def __exit__(self, *_: object) -> None:
        self._thread.join()


async def test_nothing_is_lost_and_nothing_runs_twice_at_once(
    start_server: StartServer, open_storage: OpenStorage, marks: Marks
) -> None:
    # So many attempts that runs are never sent to a worker of their own: here kills are not the runs' fault.
    server = start_server(
        config=PROJECT, args=("--workers", "2", "--concurrency", "24"), env={"RUNYARD_MAX_ATTEMPTS": "100"}
    )
    chaos = Chaos(server, marks, seed=4711)
    for action in ("worker", "server", "worker", "group", "worker", "server", "group"):
        chaos.fill()
        getattr(chaos, f"kill_{action}")()
    server.await_idle(within=60)
    assert min(chaos.hits) > 0, "the kills have to hit live work"

    runs = {run["run_id"]: run for run in chaos.accepted}
    assert len(runs) == len(chaos.accepted)
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(runs, pool.map(lambda run: join(server, run), runs.values()), strict=True))
    for answer in answers.values():
        assert_right(answer)

    # A batch that was on its way is there as a whole or not at all, and if it is there, it has run.
    for tag, was_accepted in chaos.tags.items():
        threads = threads_tagged(server, tag)
        assert len(threads) == BATCH if was_accepted else len(threads) in (0, BATCH)
        for thread in threads:
            assert thread["status"] == "idle"
            assert_right(thread["values"])

    traces = marks.traces()
    assert runs.keys() <= traces.keys()
    assert max(trace.attempt for trace in traces.values()) > 1
    for run_id, run in runs.items():
        if run["kwargs"]["temporary"]:
            assert server.http.get(f"{server.url}/threads/{run['thread_id']}").status_code == 404
            continue
        found = find(server, run)
        assert found["status"] == "success"
        assert found["kwargs"]["config"]["metadata"]["run_attempt"] >= traces[run_id].attempt
        thread = server.get(f"/threads/{run['thread_id']}")
        assert thread["status"] == "idle"
        assert_right(thread["values"])
        assert server.get(f"/threads/{run['thread_id']}/state")["values"] == thread["values"]

    assert server.stop() == 0
    kept = open_storage(server)
    assert await kept.runs.cancellable(thread_id=None, run_ids=None, status="all") == []
    temporary = {run["thread_id"] for run in runs.values() if run["kwargs"]["temporary"]}
    left = {row.thread_id for row in kept.checkpoints.history(None, None, before=None, limit=None)}
    assert not left & temporary, "a temporary thread leaves no checkpoints behind"
