"""The life of a run in the hands of workers."""

from dataclasses import dataclass
from typing import Any, Protocol

from runyard.runtime.storage.port.runs import CancelAction, FinalStatus, Interest, Lane


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's claim on a run. Every write for the run carries (seq, worker, attempt) and is refused
    with `LeaseLost` when they no longer hold; `attempt` grows with each claim, so the triple is unique."""

    seq: int
    worker: str
    attempt: int
    run_id: str
    thread_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedRun:
    """A claimed run with all that its execution needs."""

    lease: Lease
    assistant_id: str
    graph_id: str
    kwargs: dict[str, Any]
    metadata: dict[str, Any]
    lane: Lane
    temporary: bool
    resumable: bool
    watching: Interest
    cancel: CancelAction | None
    waited: float
    """Seconds from when the run was due to the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRequest:
    """The end of a leased run.

    `answer` is what joining it answers; `values`, `interrupts` and `error` are JSON for the thread.
    `spilled` says that checkpoints of a temporary run were written and have to go with its thread.
    """

    lease: Lease
    status: FinalStatus
    answer: bytes
    values: bytes | None
    interrupts: bytes
    error: bytes | None
    paused: bool
    temporary: bool
    spilled: bool


@dataclass(frozen=True, slots=True)
class FinishResult:
    """What finishing one run set free: `promoted` runs of the same thread are ready now."""

    promoted: int
    webhook: bool


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many runs stand where in the queue, and the age in seconds of the oldest ready one."""

    ready: int
    waiting: int
    delayed: int
    running: int
    oldest: float


class QueueStorage(Protocol):
    """The life of a run in the hands of workers."""

    async def claim(self, worker: str, *, limit: int, interactive: int, solo: bool = False) -> list[LeasedRun]:
        """Takes up to `limit` ready runs, and `interactive` more whose client waits. `solo`: one run of the
        solo lane and nothing else."""

    async def finish(self, finish: FinishRequest) -> FinishResult:
        """Ends a run. Raises Unavailable when one of its posted checkpoints could not be written: the run is then
        to be tried again."""

    async def finish_cancelled(self, finish: FinishRequest, action: CancelAction) -> FinishResult:
        """Ends a run that was cancelled while it ran; for `rollback` run and progress are removed instead."""

    async def release(self, lease: Lease) -> None:
        """Gives a run back to the queue, its attempt not held against it."""

    async def make_due(self, limit: int) -> tuple[int, float | None]:
        """Moves delayed runs whose time has come on. Answers how many became ready, and the seconds until the next."""

    async def solo_waiting(self) -> bool:
        """Whether a run waits for a worker of its own."""

    async def depth(self) -> QueueDepth: ...
