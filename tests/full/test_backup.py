"""A server is backed up under load, and another one goes on with the copy."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from tests.live_server import RUNYARD, LiveServer, poll

RUNS = 300

pytestmark = pytest.mark.full


def statuses(server: LiveServer, runs: list[dict[str, str]]) -> set[str]:
    found = (server.http.get(f"{server.url}/threads/{run['thread_id']}/runs/{run['run_id']}") for run in runs)
    return {response.json()["status"] for response in found}


def test_a_copy_that_was_taken_under_load_finishes_its_runs(tmp_path: Path) -> None:
    live, restored = LiveServer(tmp_path / "data"), LiveServer(tmp_path / "copy")
    try:
        live.start()
        item = {"assistant_id": "slow", "input": {"steps": 5, "delay": 0.05}, "on_completion": "keep"}
        runs = live.http.post(f"{live.url}/runs/batch", json=[item] * RUNS).json()
        stop = threading.Event()
        written = []

        def write() -> None:
            while not stop.is_set():
                written.append(live.http.post(f"{live.url}/threads", json={}).status_code)

        writing = threading.Thread(target=write)
        writing.start()
        made = subprocess.run(
            [RUNYARD, "backup", tmp_path / "copy", "--data", tmp_path / "data"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=240,
        )
        stop.set()
        writing.join()
        assert made.returncode == 0, made.stderr
        assert "runyard.db and store.db" in made.stdout
        assert set(written) == {200}

        restored.start()
        for server in (restored, live):
            poll(lambda server=server: statuses(server, runs) == {"success"}, within=90, every=1)  # type: ignore[misc]
    finally:
        live.close()
        restored.close()
