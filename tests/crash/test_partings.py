"""Processes end when they should, whatever user code has started, and keep nothing of one that has ended."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from runyard.runtime.background.process_lock import owner_of
from tests.live_server import RUNYARD, LiveServer, StartServer, poll

pytestmark = pytest.mark.full

PROJECT = Path(__file__).parent / "parting_project" / "langgraph.json"
ONE_WORKER = ("--workers", "1")


def submit(server: LiveServer, folder: Path, leave: str) -> dict[str, str]:
    folder.mkdir()
    payload = {"assistant_id": "parting", "input": {"folder": str(folder), "leave": leave}, "on_completion": "keep"}
    (run,) = server.post("/runs/batch", [payload])
    return {"thread_id": run["thread_id"], "run_id": run["run_id"]}


def join(server: LiveServer, run: dict[str, str]) -> dict[str, str]:
    answer: dict[str, str] = server.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")
    return answer


def test_a_forked_child_keeps_neither_runs_nor_metrics_of_its_dead_parent(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(config=PROJECT, args=ONE_WORKER)
    (dead,) = server.await_workers(1)
    run = submit(server, tmp_path / "marks", "fork")
    assert join(server, run)["leave"] == "left"
    (child,) = (tmp_path / "marks").iterdir()
    assert psutil.pid_exists(int(child.name)), "it has outlived its parent"
    poll(lambda: (pids := server.workers()) and dead not in pids)
    assert server.stop() == 0
    psutil.Process(int(child.name)).kill()


def test_a_forked_child_does_not_keep_the_data_directory_of_a_dead_server(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(config=PROJECT, args=("--workers", "0"))
    run = submit(server, tmp_path / "marks", "fork")
    poll(lambda: not server.alive)
    server.start(port=int(server.url.rpartition(":")[2]))
    assert join(server, run)["leave"] == "left"


@pytest.mark.parametrize("workers", ["1", "0"])
def test_stopping_waits_for_nothing_that_user_code_has_left(
    start_server: StartServer, tmp_path: Path, workers: str
) -> None:
    env = {"RUNYARD_SHUTDOWN_GRACE": "0.5", "PARTING_POOLS": "1"}
    server = start_server(config=PROJECT, args=("--workers", workers), env=env)
    submit(server, tmp_path / "marks", "sleep")
    poll(lambda: (tmp_path / "marks" / "sleeps").exists())
    assert server.stop() == 0
    poll(lambda: not server.processes())
    assert "is killed" not in server.log.read_text(), "the worker has ended by itself"


@pytest.mark.parametrize("seconds", [0.3, 1.6, 1.9, 2.0, 2.1, 2.3])
def test_a_worker_ends_with_its_server_also_during_its_import(tmp_path: Path, seconds: float) -> None:
    """The import of its graphs takes two seconds; the server is killed so many seconds after the worker's start."""
    arguments = ("serve", "--config", PROJECT, "--port", "0", "--data", tmp_path / "data", *ONE_WORKER)
    env = {**os.environ, "PARTING_IMPORT_SECONDS": "2"}
    with subprocess.Popen([RUNYARD, *arguments], env=env, start_new_session=True, stdout=subprocess.DEVNULL) as server:
        (lock,) = poll(lambda: [*tmp_path.glob("data/workers/worker-*")])
        owner = poll(lambda: owner_of(lock))
        assert owner is not None
        worker = psutil.Process(owner.pid)
        time.sleep(seconds)  # what is tested is that the moment does not matter
        server.kill()
    worker.wait(60)


def test_workers_leave_no_lock_files_and_no_temporary_files(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(config=PROJECT, args=ONE_WORKER)
    (worker,) = server.await_workers(1)
    os.kill(worker, 9)
    poll(lambda: (pids := server.workers()) and worker not in pids)

    def files() -> list[str]:
        return [path.name for path in (server.data / "workers").iterdir() if path.suffix != ".lock"]

    poll(lambda: len(files()) == 1)
    names = files()
    server.kill_group()
    server.start()
    poll(lambda: len(server.workers()) == 1)
    assert not {*names} & {path.name for path in (server.data / "workers").iterdir()}
    server.stop()
    assert not [*(server.data / "tmp").glob("*")]
