"""Workers: signs of life, and what becomes of the runs of dead ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import CancelAction


@dataclass(frozen=True, slots=True)
class ReapResult:
    """What happened to the runs of a dead worker.

    `requeued` are ready again, `solo` for a worker of their own; the `ended` ones are final or gone, and
    `promoted` runs that waited behind those are ready.
    """

    requeued: int
    ended: list[str]
    solo: int
    promoted: int = 0


@dataclass(frozen=True, slots=True)
class HeartbeatResult:
    """The answer to a heartbeat: cancel requests for held runs (seq -> action), held runs that are lost
    (seq), and whether the worker itself is still known."""

    cancels: dict[int, CancelAction]
    lost: list[int]


class WorkerStorage(Protocol):
    """Workers: signs of life, and what becomes of the runs of dead ones."""

    async def heartbeat(self, worker: str, pid: int, held: Sequence[Lease] | None) -> HeartbeatResult:
        """Says that the worker lives, hands it its cancel requests, and gives back runs that the queue
        believes the worker holds and it does not (the answer to a claim was lost). `held` None: a claim
        is under way, so nobody can say, and nothing is given back."""

    async def reap(self, worker: str, *, max_attempts: int) -> ReapResult:
        """Takes the runs of a dead worker back: to the queue, or to an end when they were there at too many crashes."""

    async def stale(self, seconds: float) -> list[tuple[str, int]]:
        """(worker, process id) of those not heard of for that long, or unknown though they hold runs (process id 0)."""
