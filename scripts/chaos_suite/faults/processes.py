"""Faults of processes: they die, stall, and go by a wrong clock."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterable

import psutil

from scripts.chaos_suite.faults.fault import Fault, Faults, Scene
from scripts.chaos_suite.target import Member
from scripts.chaos_suite.timing import AFTERMATH, LEASE_SECONDS

_STOP_SECONDS = 60.0


def kill_worker(scene: Scene) -> str:
    """SIGKILL to one worker."""
    worker = _some_worker(scene)
    if worker is None:
        return "there was no worker"
    _note(scene, [worker.pid])
    with contextlib.suppress(psutil.Error):
        worker.kill()
    return f"worker {worker.pid}"


def kill_api(scene: Scene) -> str:
    """SIGKILL to the process of an API server; another one starts in its place, at once or a moment later."""
    member = scene.rng.choice(scene.target.api)
    pid = member.server.pid
    member.server.kill()
    _come_back(scene, [member])
    return f"{member.name}, process {pid}"


def kill_server(scene: Scene) -> str:
    """SIGKILL to a server and all of its workers, as when a machine goes; it comes back at once or after its lease."""
    member = scene.rng.choice(scene.target.members)
    alone = scene.rng.random() < 0.5
    if alone:  # so that its recovery can be judged
        time.sleep(AFTERMATH + 0.5)
    pids = [process.pid for process in member.server.processes()]
    _note(scene, pids)
    member.server.kill_group()
    if alone:
        time.sleep(LEASE_SECONDS + 2)
    _come_back(scene, [member])
    return f"{member.name}, processes {pids}"


def kill_all(scene: Scene) -> str:
    """SIGKILL to all servers and workers, as when the power fails; then a start."""
    pids = [process.pid for process in scene.target.processes()]
    for member in scene.target.members:
        member.server.kill_group()
    _come_back(scene, scene.target.members)
    return f"processes {pids}"


def restart(scene: Scene) -> str:
    """SIGTERM to a server, the end in order, and a start."""
    member = scene.rng.choice(scene.target.members)
    pid = member.server.pid
    code = member.server.stop(within=_STOP_SECONDS)
    _come_back(scene, [member])
    return f"{member.name}, process {pid}, ended with code {code}"


def stop_worker(scene: Scene) -> str:
    """SIGSTOP to one worker, for up to twice its lease, then SIGCONT."""
    worker = _some_worker(scene)
    if worker is None:
        return "there was no worker"
    with contextlib.suppress(psutil.Error):
        worker.suspend()
    seconds = scene.while_(2, 0.3)
    with contextlib.suppress(psutil.Error):
        worker.resume()
    return f"worker {worker.pid} for {seconds:.1f} s"


def stop_api(scene: Scene) -> str:
    """SIGSTOP to the process of an API server, for up to twice the lease, then SIGCONT."""
    return _suspend(scene, scene.rng.choice(scene.target.api), whole=False)


def stop_server(scene: Scene) -> str:
    """SIGSTOP to a server, with its workers or without, for up to twice the lease, then SIGCONT."""
    return _suspend(scene, scene.rng.choice(scene.target.members), whole=scene.rng.random() < 0.5)


def stop_all(scene: Scene) -> str:
    """SIGSTOP to everything, as when the machine sleeps, then SIGCONT."""
    scene.target.signal_all(signal.SIGSTOP)
    seconds = scene.while_(2, 0.3)
    scene.target.signal_all(signal.SIGCONT)
    return f"for {seconds:.1f} s"


def clock_jump(scene: Scene) -> str:
    """The clock of a server jumps by an hour, or by a moment more than a lease, forward or back (only when named)."""
    seconds = scene.rng.choice([-3600, -LEASE_SECONDS - 1, LEASE_SECONDS + 1, 3600])
    member = scene.rng.choice(scene.target.members)
    member.clock.jump(seconds)
    return f"that of {member.name} by {seconds:+d} s"


def _some_worker(scene: Scene) -> psutil.Process | None:
    workers = scene.target.worker_processes()
    return scene.rng.choice(workers) if workers else None


def _suspend(scene: Scene, member: Member, *, whole: bool) -> str:
    processes = member.server.processes() if whole else [psutil.Process(member.server.pid)]
    _each(processes, signal.SIGSTOP)
    seconds = scene.while_(2, 0.3)
    _each(processes, signal.SIGCONT)
    return f"{member.name}, {'all of it' if whole else f'process {member.server.pid}'}, for {seconds:.1f} s"


def _each(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _note(scene: Scene, pids: Iterable[int]) -> None:
    scene.deaths.update(dict.fromkeys(pids, time.monotonic()))


def _come_back(scene: Scene, members: list[Member]) -> None:
    time.sleep(scene.rng.choice([0.0, 0.0, 0.3, 2.0]))
    scene.target.start(members)


FAULTS: Faults = {
    "kill-worker": Fault(strike=kill_worker, weight=4),
    "kill-api": Fault(strike=kill_api),
    "kill-all": Fault(strike=kill_all),
    "restart": Fault(strike=restart, weight=1),
    "stop-worker": Fault(strike=stop_worker, holds=True),
    "stop-api": Fault(strike=stop_api, holds=True),
    "stop-all": Fault(strike=stop_all, weight=1, holds=True),
    "clock": Fault(
        strike=clock_jump,
        usual=False,  # libfaketime slows everything down, and changes more than the time
        missing=lambda scene: (
            None if all(member.clock.possible for member in scene.target.members) else "libfaketime is not installed"
        ),
    ),
}
OF_SEVERAL: Faults = {
    "kill-server": Fault(strike=kill_server, weight=3),
    "stop-server": Fault(strike=stop_server, holds=True),
}
"""Beside those, where there are several servers."""
