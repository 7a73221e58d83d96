"""The life of a run in the hands of workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from runyard.runtime.errors import EncryptionFailed
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.retries import RetryPolicy
from runyard.runtime.storage.port.runs import CancelAction, FinalStatus, Interest, Lane


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's claim on a run. Every write for the run carries (seq, worker, attempt, token) and is refused
    with `LeaseLost` when they no longer hold.

    `attempt` grows with each claim, and `token` is random with each: a database that has lost its last moments, or was
    put back from a copy, counts the same attempts again, and another token tells the new claim from the old one.

    `encryption` is the context in which what the run writes is encrypted; None without encryption."""

    seq: int
    worker: str
    attempt: int
    token: int
    run_id: str
    thread_id: str
    encryption: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


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
    interest: Interest
    cancel: CancelAction | None
    user: str | None = field(repr=False)
    """For whom it is executed: the `Scope.user` that it was made with. Forgotten when the run ends."""
    waited: float
    """Seconds from when the run was due to the claim."""
    batch_id: str | None = None
    retry: RetryPolicy | None = None
    """That of its batch; None: an error of its graph is its end."""
    failed: int = 0
    """Tries that have failed and were followed by another."""
    creator: str | None = None
    """The `Scope.identity` that it was made with."""
    fresh: bool = False
    """Its thread had no checkpoints when it was claimed, so that they need not be looked for; False: not known."""
    unreadable: EncryptionFailed | None = None
    """Why nobody knows what it was asked for."""


class Tokens(NamedTuple):
    """Tokens of models: those that they read, those that they wrote, and which of the former came from a cache."""

    input: int
    output: int
    cached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishRequest:
    """The end of a leased run.

    `answer` is what joining it answers; `values`, `interrupts` and `error` are JSON for the thread. `values` and
    `interrupts` None: they could not be read, so the thread keeps what it has.
    `spilled` says that checkpoints of a temporary run were written and have to go with its thread; `unsaved` packs
    those that were not, for a thread that stays since another run was put on it.
    `readable`: the checkpoints of the run that come after the one of that id are dropped, and what it has written on
    that one; nobody could read the thread's state again.
    `tokens` is what a run of a batch has used, for its batch to count; None: nothing is known.
    """

    lease: Lease
    status: FinalStatus
    answer: bytes
    values: bytes | None
    interrupts: bytes | None
    error: bytes | None
    paused: bool
    temporary: bool
    spilled: bool
    unsaved: Callable[[], Sequence[CheckpointRow | WriteRow]] | None = None
    readable: str | None = None
    tokens: Tokens | None = None


@dataclass(frozen=True, slots=True)
class FinishResult:
    """What the end of a run brought about: `promoted` runs of the same thread are ready now, and whether a webhook
    call is to be made. `cancelled`: it was asked to stop, and so it was interrupted, or removed."""

    promoted: int
    webhook: bool
    cancelled: CancelAction | None = None


class DueResult(NamedTuple):
    """How many delayed runs became ready, and the seconds until the next is due: 0 when some may be due still, None
    when there are none."""

    ready: int
    next_due: float | None


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many runs stand where in the queue, and the age in seconds of the oldest ready one."""

    ready: int
    waiting: int
    delayed: int
    running: int
    oldest: float


class QueueWaits(NamedTuple):
    """For how many seconds runs that are due have been there without being executed: the longest, and the median. 0
    without such runs."""

    longest: float
    median: float


class QueueStorage(Protocol):
    """The life of a run in the hands of workers."""

    async def claim(self, worker: str, *, limit: int, interactive: int, solo: bool = False) -> list[LeasedRun]:
        """Takes up to `interactive` ready runs whose client waits, and as many others as `limit` and what is left of
        `interactive` allow; batches get their share of those though there are enough others. `solo`: one run, or one
        group of runs, of the solo lane and nothing else. Empty when there is nothing to do."""

    async def hasten(self, run_id: str) -> int:
        """Another run waits for this one: it is claimed before all others, as soon as it is ready, and so are those
        that come before it on its thread. Answers how many of them are ready; 0 also when it runs or has ended, or
        is held by its batch."""

    async def finish(self, request: FinishRequest, rows: Sequence[CheckpointRow | WriteRow] = ()) -> FinishResult:
        """Ends a run, and writes the checkpoints that its saver still held, in one transaction; some of them may be
        there already. One that was asked to stop ends as interrupted, whatever the request says, or is removed with
        all that it has done (rollback). Raises LeaseLost."""

    async def try_again(
        self, request: FinishRequest, seconds: float, rows: Sequence[CheckpointRow | WriteRow] = ()
    ) -> FinishResult | None:
        """In place of the end that the request describes: the run is pending again and due in so many seconds, keeps
        its thread until then, and one more of its tries has failed. `rows` are written as `finish` does. One that was
        asked to stop ends as `finish` ends it instead, and what followed from that is returned. Raises LeaseLost."""

    async def holds(self, lease: Lease) -> bool:
        """Whether the lease holds now; for what is written elsewhere."""

    async def release(self, lease: Lease, rows: Sequence[CheckpointRow | WriteRow] = ()) -> FinishResult | None:
        """Gives a run back to the queue, its attempt not held against it, and writes `rows` as `finish` does. One that
        was asked to stop ends instead, and what followed from that is returned. Raises LeaseLost."""

    async def make_due(self, limit: int) -> DueResult:
        """Moves up to `limit` delayed runs whose time has come on: to be ready, or to wait for their thread."""

    async def solo_waiting(self) -> int:
        """How many runs, or groups of runs, wait for a worker of their own."""

    async def depth(self) -> QueueDepth:
        """How many runs stand where."""

    async def waits(self) -> QueueWaits:
        """For how long runs that are ready, or wait for their thread or their batch, have done so."""
