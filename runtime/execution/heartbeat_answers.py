"""What a worker does with the answers to its heartbeats, which come in another thread than runs are executed in."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from runyard.runtime.execution.execution import Stop
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult


class HeartbeatAnswers:
    """Stops the runs that an answer says are lost or asked to end, if the worker still `holds` the lease by which it
    was asked: the run may be over, or claimed anew. `stop` gets their ids."""

    def __init__(self, holds: Callable[[Lease], bool], stop: Callable[[str, Stop], None]) -> None:
        self._holds = holds
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._answers: deque[tuple[HeartbeatResult, Sequence[Lease]]] = deque()

    def put(self, answer: HeartbeatResult, leases: Sequence[Lease]) -> None:
        """An answer, which is about these leases; it is applied soon. In any thread."""
        self._answers.append((answer, leases))
        self._loop.call_soon_threadsafe(self.apply)

    def apply(self) -> None:
        """Does what the answers that there are say. On the event loop."""
        while self._answers:
            answer, leases = self._answers.popleft()
            lost = set(answer.lost)
            for lease in leases:
                if not self._holds(lease):
                    continue
                if lease.seq in lost:
                    self._stop(lease.run_id, "lost")
                elif (action := answer.cancels.get(lease.seq)) is not None:
                    self._stop(lease.run_id, action)
