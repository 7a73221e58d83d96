"""The worker processes that this server has started."""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from runyard.runtime.background.process_identity import ProcessIdentity
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.spawning import WorkerSpawner

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A process, until it has surely ended."""

    name: str
    process: ForkServerProcess
    identity: ProcessIdentity | None
    """None: it had ended before anybody could look."""
    solo: bool
    retired: bool = False
    """It is ended on purpose: its runs are not to blame."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stopped(self) -> bool:
        """Whether a signal keeps it from running, until another continues it."""
        return self.identity is not None and self.identity.state() == "stopped"

    @property
    def surely_ended(self) -> bool:
        """Whether the process is no more, whatever was reported."""
        return self.identity is None or self.identity.state() not in ("running", "stopped")

    def kill(self) -> None:
        """Ends it at once."""
        self.process.kill()


class WorkerProcesses:
    """Starts them, and tells when they have ended."""

    def __init__(self, settings: Settings, spawner: WorkerSpawner, socket: Path) -> None:
        self._settings = settings
        self._spawner = spawner
        self._socket = socket
        self._all: dict[str, WorkerProcess] = {}
        self._starting: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._all or name in self._starting

    def all(self) -> list[WorkerProcess]:
        """Those that have not surely ended."""
        return list(self._all.values())

    async def start(self, settings: Settings, *, solo: bool = False) -> WorkerProcess:
        """A new one. Raises OSError when the system has no room for it."""
        name = f"{'solo' if solo else 'worker'}-{uuid.uuid4().hex[:12]}"
        self._starting.add(name)  # it may be heard of before it is known here
        try:
            process = await self._spawner.start(settings, name, self._socket, solo=solo)
            pid = process.pid
            worker = WorkerProcess(name, process, None if pid is None else ProcessIdentity.of(pid), solo)
            self._all[name] = worker
        finally:
            self._starting.discard(name)
        return worker

    async def see_out(self, worker: WorkerProcess) -> int | None:
        """Waits until the process has ended. Its exit code."""
        await self.sentinel(worker)
        # Should its end be reported wrongly: two processes must never execute one run.
        while not worker.surely_ended:  # noqa: ASYNC110 - the end of another's child cannot be awaited
            await asyncio.sleep(0.05)
        self._spawner.clean_up(worker.name)
        self._all.pop(worker.name, None)
        worker.ended.set()
        return worker.process.exitcode

    @staticmethod
    async def sentinel(worker: WorkerProcess) -> None:
        """Waits until the end of the process is reported; for one task at a time."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(worker.process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(worker.process.sentinel)
        worker.process.join()

    async def stop(self, grace: float) -> None:
        """Waits up to so many seconds, for all of them together, until they have ended, and ends the rest."""
        waiting = {asyncio.ensure_future(worker.ended.wait()) for worker in self.all()}
        if not waiting:
            return
        await asyncio.wait(waiting, timeout=grace)
        for worker in self.all():
            logger.warning("worker process %s does not end; it is killed", worker.process.pid)
            worker.retired = True
            worker.kill()
        await asyncio.wait(waiting, timeout=5.0)
        for left in waiting:
            left.cancel()
