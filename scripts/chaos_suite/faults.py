"""The faults. Each is a function that returns when it is over, and says what it did to whom."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import psutil

from scripts.chaos_suite.clock import Clock
from scripts.chaos_suite.target import LEASE_SECONDS, Target


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may use."""

    target: Target
    rng: Random
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """missing: why it is not possible here; None when it is. holds: see FaultStory."""

    strike: Callable[[Scene], str]
    weight: int = 2
    holds: bool = False
    usual: bool = True
    """Whether it strikes without being asked for."""
    missing: Callable[[Scene], str | None] = lambda scene: None

    @property
    def about(self) -> str:
        return (self.strike.__doc__ or "").splitlines()[0]


def kill_worker(scene: Scene) -> str:
    """SIGKILL to one worker."""
    return _signal_one(scene, signal.SIGKILL)


def kill_api(scene: Scene) -> str:
    """SIGKILL to the API process; another server starts on the same directory, at once or a moment later."""
    pid = scene.target.server.pid
    scene.target.server.kill()
    _away(scene)
    return f"API process {pid}"


def kill_all(scene: Scene) -> str:
    """SIGKILL to the whole group, as when the power fails; then a start."""
    pids = [process.pid for process in scene.target.server.processes()]
    scene.target.server.kill_group()
    _away(scene)
    return f"processes {pids}"


def restart(scene: Scene) -> str:
    """SIGTERM, the end in order, and a start."""
    pid = scene.target.server.pid
    code = scene.target.server.stop(within=60)
    _away(scene)
    return f"API process {pid} ended with code {code}"


def stop_worker(scene: Scene) -> str:
    """SIGSTOP to one worker, for up to twice its lease, then SIGCONT."""
    workers = scene.target.workers()
    if not workers:
        return "there was no worker"
    worker, seconds = scene.rng.choice(workers), scene.rng.uniform(0.3, 2 * LEASE_SECONDS)
    with contextlib.suppress(psutil.Error):
        worker.suspend()
    time.sleep(seconds)
    with contextlib.suppress(psutil.Error):
        worker.resume()
    return f"worker {worker.pid} for {seconds:.1f} s"


def stop_api(scene: Scene) -> str:
    """SIGSTOP to the API process, for up to twice the lease, then SIGCONT."""
    seconds = scene.rng.uniform(0.3, 2 * LEASE_SECONDS)
    api = psutil.Process(scene.target.server.pid)
    api.suspend()
    time.sleep(seconds)
    api.resume()
    return f"API process {api.pid} for {seconds:.1f} s"


def stop_all(scene: Scene) -> str:
    """SIGSTOP to everything, as when the machine sleeps, then SIGCONT."""
    seconds = scene.rng.uniform(0.3, 2 * LEASE_SECONDS)
    scene.target.signal_all(signal.SIGSTOP)
    time.sleep(seconds)
    scene.target.signal_all(signal.SIGCONT)
    return f"for {seconds:.1f} s"


def lock_database(scene: Scene) -> str:
    """Another process's transaction (BEGIN IMMEDIATE or EXCLUSIVE) holds the database, up to three leases long."""
    seconds = scene.rng.uniform(0.5, 3 * LEASE_SECONDS)
    how = scene.rng.choice(["immediate", "exclusive"])
    with contextlib.closing(sqlite3.connect(scene.target.data / "runyard.db", timeout=20)) as outside:
        outside.isolation_level = None
        try:
            outside.execute(f"begin {how}")
        except sqlite3.OperationalError as error:
            return f"not to be had: {error}"
        time.sleep(seconds)
        outside.execute("rollback")
    return f"{how} for {seconds:.1f} s"


def lock_file(scene: Scene) -> str:
    """The advisory lock beside the database is held, up to three leases long."""
    seconds = scene.rng.uniform(0.5, 3 * LEASE_SECONDS)
    file = os.open(scene.target.data / "runyard.db.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        time.sleep(seconds)
    finally:
        os.close(file)
    return f"for {seconds:.1f} s"


def reader(scene: Scene) -> str:
    """An outside reader holds a snapshot while the write-ahead log grows."""
    seconds = scene.rng.uniform(2, 5 * LEASE_SECONDS)
    with contextlib.closing(sqlite3.connect(scene.target.data / "runyard.db", timeout=20)) as outside:
        outside.isolation_level = None
        outside.execute("begin")
        outside.execute("select count(*) from sqlite_schema").fetchone()
        time.sleep(seconds)
        log = (scene.target.data / "runyard.db-wal").stat().st_size
    return f"for {seconds:.1f} s; the log was {log / 1e6:.1f} MB then"


def full_disk(scene: Scene) -> str:
    """Not a byte is free on the file system of the data, up to three leases long."""
    seconds = scene.rng.uniform(0.5, 3 * LEASE_SECONDS)
    scene.target.disk.fill()
    try:
        time.sleep(seconds)
    finally:
        scene.target.disk.free()
    return f"for {seconds:.1f} s"


def clock_jump(scene: Scene) -> str:
    """The clock jumps by an hour, or by a moment more than a lease, forward or back (only when named)."""
    seconds = scene.rng.choice([-3600, -LEASE_SECONDS - 1, LEASE_SECONDS + 1, 3600])
    scene.clock.jump(seconds)
    return f"by {seconds:+d} s"


def _away(scene: Scene) -> None:
    time.sleep(scene.rng.choice([0.0, 0.0, 0.3, 2.0]))
    scene.target.start()


def _signal_one(scene: Scene, number: int) -> str:
    workers = scene.target.workers()
    if not workers:
        return "there was no worker"
    worker = scene.rng.choice(workers)
    with contextlib.suppress(psutil.Error):
        worker.send_signal(number)
    return f"worker {worker.pid}"


FAULTS = {
    "kill-worker": Fault(strike=kill_worker, weight=4),
    "kill-api": Fault(strike=kill_api),
    "kill-all": Fault(strike=kill_all),
    "restart": Fault(strike=restart, weight=1),
    "stop-worker": Fault(strike=stop_worker, holds=True),
    "stop-api": Fault(strike=stop_api, holds=True),
    "stop-all": Fault(strike=stop_all, weight=1, holds=True),
    "lock-database": Fault(strike=lock_database, weight=1, holds=True),
    "lock-file": Fault(strike=lock_file, weight=1, holds=True),
    "reader": Fault(strike=reader, weight=1, holds=True),
    "full-disk": Fault(
        strike=full_disk,
        weight=1,
        holds=True,
        missing=lambda scene: None if scene.target.disk.own else "mounting a small file system is not permitted",
    ),
    "clock": Fault(
        strike=clock_jump,
        usual=False,  # libfaketime slows everything down, and changes more than the time
        missing=lambda scene: None if scene.clock.possible else "libfaketime is not installed",
    ),
}
