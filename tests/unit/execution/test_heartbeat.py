"""A worker beats on, whatever becomes of its beats: silence is what it would be given up for."""

from __future__ import annotations

import threading
from typing import Any

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.execution.heartbeat import HeartbeatThread

INTERVAL = 0.01


class FullDisk:
    """Refuses all beats; `enough` is set when so many have come."""

    def __init__(self, beats: int) -> None:
        self._left = beats
        self.enough = threading.Event()

    async def heartbeat(self, worker: str, held: object) -> Any:
        self._left -= 1
        if self._left == 0:
            self.enough.set()
        raise Unavailable("the disk is full")


def test_beats_that_are_refused_come_as_often_as_others() -> None:
    disk: Any = FullDisk(beats=12)  # after 12 pauses that grow, and begin with half a second, it would be a minute
    heartbeat = HeartbeatThread(disk, "w", interval=INTERVAL, held=list, answered=lambda answer: None, loops=Loops())
    heartbeat.start()
    assert disk.enough.wait(20)
    heartbeat.stop()
