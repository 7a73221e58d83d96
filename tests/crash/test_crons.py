"""`kill -9` around the moments at which crons are due: each makes one run all the same."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.live_server import LiveServer, StartServer

SECOND = 1_000_000
CRONS = 12
KILLS = 6


def firings(server: LiveServer) -> dict[str, list[tuple[int, str]]]:
    """The latest moments of each cron, oldest first, with the runs that were made."""
    found: dict[str, list[tuple[int, str]]] = {}
    with closing(sqlite3.connect(server.data / "runyard.db")) as connection:
        for cron_id, due, run_id in connection.execute("select cron_id, due, run_id from cron_firings order by due"):
            found.setdefault(cron_id, []).append((due, run_id))
    return found


def runs_of(server: LiveServer, cron: dict[str, Any]) -> list[dict[str, Any]]:
    found = server.post("/threads/search", {"metadata": {"cron_id": cron["cron_id"]}, "limit": 1000})
    threads = [cron["thread_id"]] if cron["thread_id"] else [thread["thread_id"] for thread in found]
    return [run for thread in threads for run in server.get(f"/threads/{thread}/runs?limit=1000")]


def create(server: LiveServer, number: int) -> dict[str, Any]:
    """By turns on a thread, and with kept threads of their runs."""
    asked = {"assistant_id": "chain", "schedule": "* * * * * *", "input": {"n": 1}}
    path = "/runs/crons"
    if number % 2:
        path = f"/threads/{server.post('/threads', {})['thread_id']}{path}"
    else:
        asked["on_run_completed"] = "keep"
    cron: dict[str, Any] = server.post(path, asked)
    return cron


@pytest.mark.full
def test_each_moment_makes_one_run_whenever_the_server_is_killed(start_server: StartServer) -> None:
    server = start_server()
    rng = random.Random(14)
    crons = [create(server, number) for number in range(CRONS)]
    for _ in range(KILLS):
        # Somewhere around the beginning of a second, which is when all of them are due.
        time.sleep(max(0.0, 1.0 - time.time() % 1 + rng.uniform(-0.03, 0.06)))
        if rng.random() < 0.5:
            server.kill_group()
        else:
            server.kill()
        server.start()
    for cron in crons:
        changed = server.http.patch(f"{server.url}/runs/crons/{cron['cron_id']}", json={"enabled": False})
        assert changed.json()["enabled"] is False
    server.await_idle()
    noted = firings(server)
    for cron in crons:
        first = datetime.fromisoformat(cron["next_run_date"])
        runs = runs_of(server, cron)
        moments = noted[cron["cron_id"]]
        latest = moments[-1][0]
        assert len(runs) == len({run["run_id"] for run in runs}) == latest // SECOND - round(first.timestamp()) + 1
        assert {run_id for _, run_id in moments} <= {run["run_id"] for run in runs}
        assert all(after[0] - before[0] == SECOND for before, after in pairwise(moments))
        assert {run["status"] for run in runs} == {"success"}
