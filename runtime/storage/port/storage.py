"""The contract of storage: what a backend must be able to do, as whole operations.

Each operation is one transaction with its own guard; nothing rests on one writer at a time or on an order of
calls. Whatever changes the state of a run names the lease or the status it relies on, and raises `LeaseLost`
or `Conflict` when that no longer holds. A conformance suite runs on every backend.
"""

from collections.abc import Sequence
from typing import Protocol

from runyard.generated.models import Run
from runyard.runtime.storage.port.records import (
    CancelAction,
    CancelOutcome,
    CheckpointRow,
    Delivery,
    Ended,
    EventChunk,
    Finish,
    Finished,
    Heartbeat,
    Inserted,
    Lease,
    LeasedRun,
    QueueDepth,
    Reaped,
    RunDraft,
    RunStatus,
    StoredCheckpoint,
    WriteRow,
)
from runyard.runtime.storage.port.threads import AssistantStorage, ThreadStorage


class RunStorage(Protocol):
    """Runs as their clients see them."""

    async def insert(self, drafts: Sequence[RunDraft]) -> tuple[list[Run], Inserted]:
        """Writes all of the runs, and the threads of stateless ones, or nothing.

        Multitask strategies take effect here. Raises NotFound for a thread that does not exist,
        Conflict for one that is busy where the strategy is `reject`.
        """

    async def get(self, thread_id: str, run_id: str) -> Run | None: ...

    async def find(self, run_id: str) -> Run | None:
        """A run by its own id, as long as its thread is there."""

    async def of_thread(self, thread_id: str, *, limit: int, offset: int, status: RunStatus | None) -> list[Run]:
        """The runs of a thread, newest first."""

    async def place(self, run_id: str) -> tuple[str, bool] | None:
        """The thread of a run, and whether its stream is resumable; also of runs whose thread is gone."""

    async def ended(self, run_ids: Sequence[str]) -> list[Ended]:
        """Those of the runs that have ended, outcomes of deleted stateless runs included; a run that is
        not there at all counts as ended with an error that says so."""

    async def active(
        self, *, thread_id: str | None, run_ids: Sequence[str] | None, status: str
    ) -> list[tuple[str, str]]:
        """(thread id, run id) of runs that can be cancelled; `status` is pending, running or all."""

    async def cancel(self, runs: Sequence[tuple[str, str]], action: CancelAction) -> CancelOutcome:
        """Ends pending runs (or removes them, for `rollback`) and flags running ones. Ended runs are passed over."""

    async def delete(self, thread_id: str, run_id: str) -> int | None:
        """Removes a run, also a running one, whose worker loses its lease. Answers how many runs became ready;
        None when there is no such run."""

    async def forget_outcomes(self, older_than: float, limit: int) -> int:
        """Drops what runs answered that ended more than `older_than` seconds ago; of temporary ones, all that
        is left. Answers how many."""


class QueueStorage(Protocol):
    """The life of a run in the hands of workers."""

    async def claim(self, worker: str, *, limit: int, interactive: int, solo: bool = False) -> list[LeasedRun]:
        """Takes up to `limit` ready runs, and `interactive` more whose client waits. `solo`: one run of the
        solo lane and nothing else."""

    async def finish(self, finish: Finish) -> Finished:
        """Ends a run. Raises Unavailable when one of its posted checkpoints could not be written: the run is then
        to be tried again."""

    async def finish_cancelled(self, finish: Finish, action: CancelAction) -> Finished:
        """Ends a run that was cancelled while it ran; for `rollback` run and progress are removed instead."""

    async def release(self, lease: Lease) -> None:
        """Gives a run back to the queue, its attempt not held against it."""

    async def heartbeat(self, worker: str, pid: int, held: Sequence[Lease] | None) -> Heartbeat:
        """Says that the worker lives, hands it its cancel requests, and gives back runs that the queue
        believes the worker holds and it does not (the answer to a claim was lost). `held` None: a claim
        is under way, so nobody can say, and nothing is given back."""

    async def reap(self, worker: str, *, max_attempts: int) -> Reaped:
        """Takes the runs of a dead worker back: to the queue, or to an end when they were there at too many crashes."""

    async def stale_workers(self, seconds: float) -> list[tuple[str, int]]:
        """(worker, process id) of those not heard of for that long, or unknown though they hold runs (process id 0)."""

    async def make_due(self, limit: int) -> tuple[int, float | None]:
        """Moves delayed runs whose time has come on. Answers how many became ready, and the seconds until the next."""

    async def solo_waiting(self) -> bool:
        """Whether a run waits for a worker of its own."""

    async def depth(self) -> QueueDepth: ...


class EventStorage(Protocol):
    async def append(self, lease: Lease, chunk: EventChunk) -> None: ...

    async def read(self, run_id: str, after: int) -> list[EventChunk]: ...

    async def read_thread(self, thread_id: str) -> list[EventChunk]:
        """The stored events of all runs of a thread, run by run."""

    async def last(self, run_id: str) -> int:
        """The number of the last event; 0 if there is none."""


class CheckpointStorage(Protocol):
    """Rows of the LangGraph saver. Writes with a lease are fenced by it; they keep the order in which they
    were posted, also with regard to `finish` of the same process."""

    def post(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> None: ...

    async def flush(self, lease: Lease | None) -> None:
        """Returns when all that was posted is durable. Raises LeaseLost when some of it was refused."""

    def flush_blocking(self, lease: Lease | None) -> None: ...

    def latest(self, thread_id: str, ns: str) -> StoredCheckpoint | None: ...

    def get(self, thread_id: str, ns: str, checkpoint_id: str) -> StoredCheckpoint | None: ...

    def history(
        self, thread_id: str | None, ns: str | None, *, before: str | None, limit: int | None
    ) -> list[StoredCheckpoint]: ...

    def namespaces(self, thread_id: str) -> list[str]:
        """The namespaces in which a thread has checkpoints: "" and those of subgraphs."""

    def blobs(self, thread_id: str, ns: str, versions: dict[str, str]) -> dict[str, tuple[str, bytes]]: ...

    async def delete_thread(self, thread_id: str) -> None: ...

    async def delete_runs(self, run_ids: Sequence[str]) -> None: ...

    async def copy_thread(self, source: str, target: str) -> None: ...

    async def prune(self, thread_id: str, keep: Sequence[tuple[str, str, dict[str, str]]]) -> None:
        """Deletes all of a thread but the checkpoints named: (namespace, checkpoint id, channel versions)."""


class DeliveryStorage(Protocol):
    async def claim_deliveries(self, limit: int, lease_seconds: float) -> list[Delivery]: ...

    async def finish_delivery(self, delivery_id: int, attempt: int, *, delivered: bool) -> None: ...

    async def postpone_delivery(self, delivery_id: int, attempt: int, *, seconds: float, error: str) -> None: ...

    async def next_delivery_due(self) -> float | None: ...


class Storage(Protocol):
    """A backend. `open` before all else, `close` last."""

    @property
    def runs(self) -> RunStorage: ...

    @property
    def queue(self) -> QueueStorage: ...

    @property
    def threads(self) -> ThreadStorage: ...

    @property
    def assistants(self) -> AssistantStorage: ...

    @property
    def events(self) -> EventStorage: ...

    @property
    def checkpoints(self) -> CheckpointStorage: ...

    @property
    def deliveries(self) -> DeliveryStorage: ...

    def open(self, *, tend: bool) -> None: ...

    def close(self) -> None: ...

    async def check(self) -> None:
        """Raises Unavailable when the database does not answer."""
