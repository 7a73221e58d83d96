"""Workers: signs of life, and what becomes of the runs of those that are dead or cannot stop them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import CancelAction, FinalStatus

WorkerState = Literal["running", "stopped"]
"""`stopped`: it does nothing, and will go on where it was when somebody continues it."""


@dataclass(frozen=True, slots=True)
class HeartbeatResult:
    """What a worker learns from its heartbeat: the cancel requests for runs that it holds, by their `seq`, and which
    of the leases that it named no longer hold (`seq`)."""

    cancels: dict[int, CancelAction]
    lost: list[int]


@dataclass(frozen=True, slots=True)
class ReapResult:
    """What happened to runs that were taken back: those of a dead worker, or one whose end could not be written.

    `requeued` are ready again, `solo` for a worker of their own; the `ended` ones are final or removed, and
    `promoted` runs that waited behind those are ready. `webhook`: a webhook call is to be made.
    """

    requeued: int
    ended: list[str]
    solo: int
    promoted: int
    webhook: bool


class EndedRun(NamedTuple):
    """A run that was ended in its worker's place."""

    run_id: str
    thread_id: str
    status: FinalStatus


@dataclass(slots=True)
class EndedRuns:
    """The runs that were ended; `promoted` runs that waited behind those are ready. `webhook`: a webhook call is to be
    made."""

    ended: list[EndedRun] = field(default_factory=list)
    promoted: int = 0
    webhook: bool = False


class KnownWorker(NamedTuple):
    """A worker that is heard of, or holds runs. `seen` changes with each heartbeat and means nothing else; of a worker
    that was never heard of, it is 0."""

    worker: str
    seen: int


class Machine(NamedTuple):
    """A machine on which server processes are known to live, by its host name, and how many workers they have."""

    host: str
    servers: int
    workers: int


class WorkerStorage(Protocol):
    """Workers: signs of life, and what becomes of the runs of those that are dead or cannot stop them.

    How a backend knows that a worker lives is its own business: processes and their locks on one machine, or leases by
    the database's clock on many.
    """

    def register(self, worker: str, *, server: int | None = None) -> None:
        """Says that this process is that worker, until it ends. Before `open`, and before the first heartbeat.
        `server`: the process id of the server process that it belongs to; None: this is that, too. Blocks; raises
        Unavailable."""

    def unregister(self, worker: str) -> None:
        """The worker has ended, though the process that it was registered by goes on."""

    async def alive(self) -> dict[str, WorkerState]:
        """The registered workers that have not surely ended; whichever others are `known` have. Asks nobody who might
        have to wait for a worker that is stopped in the middle of a write. To be asked every second or so: where leases
        say who lives, one that runs out counts only while this process has looked on."""

    async def machines(self) -> list[Machine]:
        """Where workers live, by host name."""

    async def evict(self, worker: str) -> bool:
        """Ends a worker from outside: it is no longer `alive` soon. False: nothing says where it is. Should it go on,
        what it writes for its runs is refused from `reap` on."""

    async def heartbeat(self, worker: str, held: Sequence[Lease], *, claiming: bool = False) -> HeartbeatResult:
        """Says that the worker lives, hands it its cancel requests, and gives back runs that the queue
        believes the worker holds and it does not (the answer to a claim was lost). `claiming`: a claim
        is under way, so nobody can say, and nothing is given back."""

    def lease_ends(self, worker: str) -> float | None:
        """From when on, by `seconds_since_boot`, others may take the runs of this process's worker back, unless another
        heartbeat gets through; None: only once it has ended. It stays in the past until a heartbeat has told which runs
        are still held."""

    async def reap(
        self, worker: str, *, max_attempts: int, crashed: bool = True, groups: int = 0, unless_alive: bool = False
    ) -> ReapResult:
        """Takes the runs of a dead worker back: to the queue, or to an end when they were asked to stop or there at
        `max_attempts` crashes. Forgets the worker. `crashed` False: it was ended on purpose, and no run is to blame.

        The last attempt of a run is made alone. `groups`: the others that are to be tried again are divided into up to
        so many groups, each for a worker of its own; 0: they go back to where they were.

        Webhook calls that the dead one had claimed, a server, are due at once.

        `unless_alive`: nobody saw the worker end; if it gives signs of life again, nothing happens."""

    async def end_overdue(self, seconds: float, answer: bytes, limit: int) -> EndedRuns:
        """Ends up to `limit` runs whose attempt has taken longer than `seconds`, with the status `timeout` and that
        answer, an object with `__error__`; their workers lose the lease. What was asked to stop ends as that says."""

    async def end_unstopped(self, seconds: float, limit: int, run_ids: Sequence[str] | None = None) -> EndedRuns:
        """Ends up to `limit` runs (of `run_ids`) that run though they were last asked to stop at least `seconds` ago:
        as interrupted, or removed with all that they have done; their workers lose the lease."""

    async def fail_attempt(self, lease: Lease, answer: bytes, *, max_attempts: int) -> ReapResult:
        """Takes one run back whose end could not be written. That counts as the death of its worker does: the run goes
        back to the queue, or ends with `answer` (`{"__error__": ...}`) when it was the last attempt; never alone.
        Raises LeaseLost."""

    async def known(self) -> list[KnownWorker]:
        """All workers that were heard of and not forgotten, or hold runs. Where several servers make webhook calls, so
        are those that have claimed some."""

    async def probe(self) -> None:
        """Returns when a write of no consequence has got through. Raises Unavailable."""
