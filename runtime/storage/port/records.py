"""What goes into and comes out of storage, where the interface has no noun of its own for it.

Runs, threads and assistants come out as the generated dataclasses. Times inside are integers, microseconds
since 1970 (UTC), taken from the clock of the database's machine.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

RunStatus = Literal["pending", "running", "error", "success", "timeout", "interrupted"]
FinalStatus = Literal["error", "success", "timeout", "interrupted"]
CancelAction = Literal["interrupt", "rollback"]
Strategy = Literal["reject", "rollback", "interrupt", "enqueue"]


class Lane(IntEnum):
    """The order in which ready runs are claimed: somebody waits for the first kind."""

    INTERACTIVE = 0
    SINGLE = 1
    BATCH = 2
    SOLO = 9
    """A run that was there at several crashes: only a worker that runs nothing else may take it."""


class Watching(IntEnum):
    """What the creator of a run wants to be told while it runs."""

    NOTHING = 0
    ANSWER = 1
    EVENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDraft:
    """A run to be written; everything is resolved and checked, only the thread's state is not."""

    run_id: str
    thread_id: str
    assistant_id: str
    graph_id: str
    lane: Lane
    delay: float
    """Seconds from now until the run is due; 0 or less: at once."""
    strategy: Strategy
    metadata: dict[str, Any]
    kwargs: dict[str, Any]
    thread_metadata: dict[str, Any] | None
    """For a stateless run: the metadata of the thread that is made for it. None: the thread exists."""
    create_thread: bool = False
    """For a thread run with `if_not_exists: create`: make the thread when there is none."""
    temporary: bool = False
    resumable: bool = False
    watching: Watching = Watching.NOTHING
    webhook: str | None = None


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
    watching: Watching
    cancel: CancelAction | None
    waited: float
    """Seconds from when the run was due to the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
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
class Finished:
    """What finishing one run set free: `promoted` runs of the same thread are ready now."""

    promoted: int
    webhook: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended: its status and what joining it answers."""

    run_id: str
    status: FinalStatus
    answer: bytes


@dataclass(slots=True)
class CancelOutcome:
    """What a cancel request met.

    `ended` runs were pending and are final now (or gone, for a rollback); `requested` ones run: their
    worker (run id -> worker) has to be told. `promoted` runs became ready.
    """

    ended: list[str] = field(default_factory=list)
    requested: dict[str, str] = field(default_factory=dict)
    promoted: int = 0


@dataclass(frozen=True, slots=True)
class Inserted:
    """What an insert did: how many runs are ready now, and what multitask strategies cancelled."""

    ready: int
    cancelled: CancelOutcome


@dataclass(frozen=True, slots=True)
class Reaped:
    """What happened to the runs of a dead worker.

    `requeued` are ready again, `solo` for a worker of their own; the `ended` ones are final or gone, and
    `promoted` runs that waited behind those are ready.
    """

    requeued: int
    ended: list[str]
    solo: int
    promoted: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The answer to a heartbeat: cancel requests for held runs (seq -> action), held runs that are lost
    (seq), and whether the worker itself is still known."""

    cancels: dict[int, CancelAction]
    lost: list[int]


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events of a resumable run, packed; `first` and `last` are their numbers."""

    first: int
    last: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """One checkpoint as the saver packed it. `blobs` are the channel values that are new with it:
    (channel, version, type, data)."""

    thread_id: str
    ns: str
    checkpoint_id: str
    parent_id: str | None
    run_id: str | None
    type: str
    data: bytes
    metadata: bytes
    blobs: list[tuple[str, str, str, bytes]]


@dataclass(frozen=True, slots=True)
class WriteRow:
    """One pending write of a task: `idx` is negative for the special channels, which are replaced."""

    thread_id: str
    ns: str
    checkpoint_id: str
    run_id: str | None
    task_id: str
    idx: int
    channel: str
    type: str
    data: bytes
    task_path: str


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """One checkpoint as read: `writes` are (task id, channel, type, data) in order."""

    thread_id: str
    ns: str
    checkpoint_id: str
    parent_id: str | None
    type: str
    data: bytes
    metadata: bytes
    writes: list[tuple[str, str, str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook call that is due. `payload` is a JSON object that lacks only `webhook_sent_at`."""

    delivery_id: int
    attempt: int
    url: str
    run_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many runs stand where in the queue, and the age in seconds of the oldest ready one."""

    ready: int
    waiting: int
    delayed: int
    running: int
    oldest: float
