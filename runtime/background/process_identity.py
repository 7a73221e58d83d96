"""Which process it is: a process id alone may be another's by now."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

ProcessState = Literal["running", "stopped", "ended", "unknown"]
"""`stopped`: by a signal, until another continues it; `unknown`: it cannot be seen from here."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process for good. `started` is its start by the kernel's clock, `place` the boot and the process namespace in
    which its id means something."""

    pid: int
    started: str
    place: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The process that has the id now; None: there is none."""
        looked = _look(pid)
        return None if looked is None else cls(pid, looked[1], _place())

    @classmethod
    def parse(cls, text: str) -> ProcessIdentity | None:
        """What `dump` wrote; None for anything else."""
        try:
            fields = json.loads(text)
            return cls(int(fields["pid"]), str(fields["started"]), str(fields["place"]))
        except (ValueError, TypeError, KeyError):
            return None

    def dump(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    @property
    def own(self) -> bool:
        """Whether it is this process."""
        return self == ProcessIdentity.of(os.getpid())

    def state(self) -> ProcessState:
        """What the process does."""
        if self.place != _place():
            return "unknown"
        looked = _look(self.pid)
        return "ended" if looked is None or looked[1] != self.started else looked[0]

    def kill(self) -> bool:
        """Ends the process, if it is there; whether it was."""
        if sys.platform != "linux":
            if self.state() in ("ended", "unknown"):
                return False
            os.kill(self.pid, signal.SIGKILL)
            return True
        try:
            # Opened first, compared then: what it stands for cannot become another process in between.
            process = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if self.state() in ("ended", "unknown"):
                return False
            signal.pidfd_send_signal(process, signal.SIGKILL)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(process)


@cache
def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return sys.platform


def _look(pid: int) -> tuple[ProcessState, str] | None:
    """What the process with the id does, and when it was started; None when there is none, or only its remains."""
    try:
        # psutil tells the start as a date, which moves with the clock.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        state, threads, started = fields[0], int(fields[17]), fields[19].decode()
    except (OSError, IndexError, ValueError):
        return None if sys.platform == "linux" else _look_elsewhere(pid)
    if state in b"ZX" and threads <= 1:  # a first thread that has ended shows so while others go on
        return None
    return "stopped" if state == b"T" else "running", started


def _look_elsewhere(pid: int) -> tuple[ProcessState, str] | None:
    try:
        process = psutil.Process(pid)
        status = process.status()
        if status == psutil.STATUS_ZOMBIE:
            return None
        return "stopped" if status == psutil.STATUS_STOPPED else "running", str(process.create_time())
    except psutil.Error:
        return None
