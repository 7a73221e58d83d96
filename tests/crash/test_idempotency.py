"""A batch with a key, whose server is killed at any moment: sent again, it is there once."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import httpx
import pytest

from tests.live_server import LiveServer, StartServer

from .client import run_payload, threads_tagged
from .step_log import PROJECT, StepLog

BATCH = 400
KILLS = 8


def send(server: LiveServer, step_log: StepLog, tag: str) -> httpx.Response:
    payloads = [run_payload(step_log, extra={"metadata": {"tag": tag}, "after_seconds": 3600}) for _ in range(BATCH)]
    return httpx.post(f"{server.url}/runs/batch", json=payloads, headers={"Idempotency-Key": tag}, timeout=90)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_batch_that_is_sent_again_after_a_kill_is_there_once(start_server: StartServer, step_log: StepLog) -> None:
    server = start_server(config=PROJECT, args=("--workers", "1"))
    rng = random.Random(12)
    begun = time.monotonic()
    assert send(server, step_log, "undisturbed").status_code == 200
    usual = time.monotonic() - begun
    replayed = made = 0
    for number in range(KILLS):
        tag = f"batch-{number}"
        first: list[httpx.Response] = []

        def submit(tag: str = tag, first: list[httpx.Response] = first) -> None:
            try:
                first.append(send(server, step_log, tag))
            except httpx.HTTPError:
                return

        submission = threading.Thread(target=submit)
        if number == 0:  # one batch that surely has not come
            os.kill(server.pid, signal.SIGSTOP)
        submission.start()
        if number == KILLS - 1:  # and one that surely has
            submission.join()
        time.sleep(rng.uniform(0.0, 1.5 * usual))  # the kill is to fall at random
        server.kill()
        submission.join()
        server.start()
        again = send(server, step_log, tag)
        assert again.status_code == 200
        if first:
            assert again.content == first[0].content
        if again.headers.get("idempotency-replayed"):
            replayed += 1
        else:
            assert not first, "an answer is sent after the commit"
            made += 1
        threads = {thread["thread_id"] for thread in threads_tagged(server, tag)}
        assert {run["thread_id"] for run in again.json()} == threads
        assert len(threads) == BATCH
    assert replayed
    assert made
