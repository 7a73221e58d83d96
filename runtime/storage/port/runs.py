"""Runs as their clients see them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal, NamedTuple, Protocol

from runyard.generated.models import Run
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey

RunStatus = Literal["pending", "running", "error", "success", "timeout", "interrupted"]
FinalStatus = Literal["error", "success", "timeout", "interrupted"]
CancelAction = Literal["interrupt", "rollback"]
Strategy = Literal["reject", "rollback", "interrupt", "enqueue"]


class Lane(IntEnum):
    """The order in which ready runs are claimed: somebody waits for the first two kinds."""

    AWAITED = -1
    """A run that another run waits for, which has lent its place for it."""
    INTERACTIVE = 0
    SINGLE = 1
    BATCH = 2
    HELD = 8
    """A run whose batch has as many under way as it may: it gets the lane of batches when one of those leaves."""
    SOLO = 9
    """A run that was there at a crash: only a worker that runs nothing else but its group of suspects may take it."""


class Interest(IntEnum):
    """What the creator of a run wants to be told while it runs."""

    NONE = 0
    ANSWER = 1
    EVENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
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
    """For a run on a thread: what wins over the thread's own metadata."""
    kwargs: dict[str, Any]
    thread_metadata: dict[str, Any] | None
    """For a stateless run: the metadata of the thread that is made for it. None: the thread exists."""
    assistant_metadata: dict[str, Any] = field(default_factory=dict)
    """For a run on a thread: what the thread's own metadata wins over."""
    create_thread: bool = False
    """For a thread run with `if_not_exists: create`: make the thread when there is none."""
    temporary: bool = False
    expiry: Expiry | None = None
    """The lifetime of a thread that is made, or kept, for the run; never that of a temporary one."""
    resumable: bool = False
    protocol: bool = False
    """Whether its stored events are those of the thread event protocol; it is resumable then."""
    interest: Interest = Interest.NONE
    webhook: str | None = None
    seen_at: str | None = None
    """Where the assistant is that of `AssistantStorage.seen`: its time of change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """What is accepted together in one request, and what was asked for it as a whole.

    max_concurrency: how many of its runs are under way at once; start_within, finish_within: seconds from now after
    which items that have not begun, or not ended, are given up; retry: the policy by which a run is tried again after
    an error; result_ttl: seconds for which results are kept. None: as if there were no batch.
    """

    batch_id: str
    name: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    webhook: str | None = None
    max_concurrency: int | None = None
    start_within: float | None = None
    finish_within: float | None = None
    retry: dict[str, Any] | None = None
    result_ttl: float | None = None


class RunRef(NamedTuple):
    """A run, by its thread and its own id."""

    thread_id: str
    run_id: str


class RunPosition(NamedTuple):
    """Where a page of runs ended; `newest` is the newest run that there was at the first page."""

    thread_id: str
    seq: int
    newest: int


class RunPage(NamedTuple):
    """Runs, and where to go on; None after the last."""

    runs: list[RunRef]
    after: RunPosition | None


class RunLocation(NamedTuple):
    """The thread of a run, whether its stream is resumable, and whether it speaks the thread event protocol."""

    thread_id: str
    resumable: bool
    protocol: bool = False


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that has ended: its status, what joining it answers, the number of its last stored event (0: none), and
    whether it was ever executed."""

    run_id: str
    status: FinalStatus
    answer: bytes
    last_event: int = 0
    started: bool = False


@dataclass(slots=True)
class CancelResult:
    """What a cancel request met.

    `ended` runs were pending and are final now (or removed, for a rollback); `requested` ones run: their
    worker (run id -> worker) has to be told. `promoted` runs became ready; `webhook`: a webhook call is to be made.
    """

    ended: list[str] = field(default_factory=list)
    requested: dict[str, str] = field(default_factory=dict)
    promoted: int = 0
    webhook: bool = False


@dataclass(frozen=True, slots=True)
class InsertResult:
    """What an insert did: the runs as written, in order, how many of them are ready now, and what multitask
    strategies cancelled."""

    runs: list[Run]
    ready: int
    cancelled: CancelResult

    def add_room(self, made: Sequence[CancelResult]) -> None:
        """Adds what was cancelled ahead, in transactions of their own."""
        for result in made:
            self.cancelled.ended.extend(result.ended)
            self.cancelled.webhook |= result.webhook


class RunStorage(Protocol):
    """Runs as their clients see them."""

    async def insert(
        self,
        scope: Scope,
        new_runs: Sequence[NewRun],
        batch: NewBatch | None = None,
        key: IdempotencyKey | None = None,
    ) -> InsertResult:
        """Writes all of the runs, and the threads of stateless ones, or nothing; as the items of a batch, in order, if
        there is one.

        Multitask strategies take effect here. Raises NotFound for a thread that does not exist,
        Conflict for one that is busy where the strategy is `reject`, AssistantChanged, and KeyTaken.
        """

    async def get(self, scope: Scope, thread_id: str, run_id: str) -> Run | None:
        """A run of a thread; None when the thread, or such a run of it, is not there."""

    async def find(self, scope: Scope, run_id: str) -> Run | None:
        """A run by its own id; None when it, or its thread, is not there."""

    async def of_thread(
        self, scope: Scope, thread_id: str, *, limit: int, offset: int, status: RunStatus | None
    ) -> list[Run]:
        """The runs of a thread, newest first; `status` None: whatever theirs is."""

    async def locate(self, scope: Scope, run_id: str) -> RunLocation | None:
        """Where a run is to be found, also one whose thread was deleted; None when there is no such run."""

    async def ended(self, scope: Scope, run_ids: Sequence[str]) -> list[RunResult]:
        """Those of the runs that have ended, stateless ones included whose thread was deleted with them;
        a run that is not there at all counts as ended with an error that says so."""

    async def cancellable(
        self,
        scope: Scope,
        *,
        thread_id: str | None,
        run_ids: Sequence[str] | None,
        status: str,
        limit: int,
        after: RunPosition | None = None,
    ) -> RunPage:
        """Up to `limit` runs that have not ended: those of a thread, those among `run_ids` (None: no condition), or
        all. `status` is pending, running or all. `after` is where an earlier page ended: runs that were created since
        the first page are on none."""

    async def cancel(
        self, scope: Scope, runs: Sequence[RunRef], action: CancelAction, reason: str | None = None
    ) -> CancelResult:
        """Ends pending runs (or removes them, for `rollback`) and flags running ones; `reason` is kept with them, the
        first one with a run that is asked again. Passes over runs that have ended or are not there. One transaction,
        so of few runs."""

    async def delete(self, scope: Scope, thread_id: str, run_id: str) -> int | None:
        """Removes a run, also a running one, whose worker loses its lease. Returns how many runs became ready;
        None when there is no such run."""

    async def forget_outcomes(self, older_than: float, limit: int) -> int:
        """Drops what runs answered that ended more than `older_than` seconds ago; of temporary ones, all that
        is left. Returns of how many, at most `limit`."""
