"""A database that another program holds for seconds: what is sent meanwhile is accepted late, and not lost."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.live_server import LiveServer, StartServer

from .client import assert_each_step_once, run_payload
from .sse import events
from .step_log import PROJECT, StepLog

pytestmark = pytest.mark.full

LOCKED_SECONDS = 6.0
"""Longer than two intervals of the recheck of runs that somebody follows."""


@contextlib.contextmanager
def locked(server: LiveServer) -> Iterator[None]:
    """Another program's transaction, which ends by itself."""
    outside = sqlite3.connect(server.data / "runyard.db", check_same_thread=False, timeout=10)
    outside.isolation_level = None
    outside.execute("begin immediate")
    timer = threading.Timer(LOCKED_SECONDS, outside.execute, ("rollback",))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        outside.close()


def read_wait(server: LiveServer, payload: dict[str, Any]) -> Any:
    answer = httpx.post(f"{server.url}/runs/wait", json=payload, timeout=90)
    answer.raise_for_status()
    return answer.json()


def test_runs_that_are_waited_for_while_the_database_is_locked_answer_what_they_did(
    start_server: StartServer, step_log: StepLog
) -> None:
    server = start_server(config=PROJECT)
    payloads = [run_payload(step_log, keep=number % 2 == 0, delay=0.2) for number in range(20)]
    with ThreadPoolExecutor(len(payloads)) as pool, locked(server):
        answers = list(pool.map(lambda payload: read_wait(server, payload), payloads))
    for answer in answers:
        assert "__error__" not in answer
        assert_each_step_once(answer)


def test_a_stream_that_is_asked_for_while_the_database_is_locked_is_whole(
    start_server: StartServer, step_log: StepLog
) -> None:
    server = start_server(config=PROJECT)
    payload = {**run_payload(step_log, delay=0.2), "stream_mode": "values"}
    with (
        locked(server),
        httpx.stream("POST", f"{server.url}/runs/stream", json=payload, timeout=90) as answer,
    ):
        told = [(name, data) for _, name, data in events(answer)]
    assert "error" not in [name for name, _ in told]
    assert_each_step_once(told[-1][1])
