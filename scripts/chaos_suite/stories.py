"""What happened, as far as clients, nodes and the database could see it: what the checks judge.

All times are seconds of the machine's monotonic clock, which clients and nodes share and no clock jump changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Certainty = Literal["accepted", "unknown"]
"""Whether a request was answered that it is accepted, or broke off before its answer."""
STARTED = "start"


@dataclass(frozen=True, slots=True)
class Mark:
    """What one node wrote: `what` is start, end, stop (cancelled) or caught (cancelled, and goes on)."""

    run_id: str
    thread_id: str
    attempt: int
    tag: str
    step: str
    pid: int
    what: str
    time: float


@dataclass(slots=True, kw_only=True)
class Stop:
    """A request to stop the run. `rollback`: and undo it. `answered`: when it was."""

    rollback: bool
    certainty: Certainty
    answered: float
    how: str
    by_run: str | None = None
    """The run of the same thread whose multitask strategy asked for it."""


@dataclass(slots=True, kw_only=True)
class StreamStory:
    """What a client read of a run's stream from its beginning, in modes values and custom.

    in_order: the server ended it as if it were whole. replayed: the client came back with the id of the last event
    whenever it was cut. by_sdk: by the stock client, which comes back without an id, so to the present, when it was cut
    before the first event.
    """

    run_id: str
    how: str
    replayed: bool
    by_sdk: bool = False
    events: list[tuple[str | None, str, Any]] = field(default_factory=list)
    in_order: bool = False


@dataclass(slots=True, kw_only=True)
class RunStory:
    """One run that the server accepted.

    before: what its tag had done on its thread before (a resumed run goes on with the tag of the asking one).
    expected: what its tag has done there after its success, as plain LangGraph does it.
    """

    run_id: str
    thread_id: str
    tag: str
    graph: str
    accepted: float
    expected: tuple[str, ...]
    before: tuple[str, ...] = ()
    temporary: bool = False
    synced: bool = False
    """Its durability is `sync`: a step that was followed by another one is stored."""
    webhook: bool = False
    asks: bool = False
    """Its success is a question to a person."""
    fails: bool = False
    """Its graph raises at its end."""
    awaited: bool = False
    """Its client waited for it, or read its stream, from the beginning."""
    ended: float | None = None
    """When a client was first told that it had ended."""
    answer: Any = None
    """What waiting for it or joining it answered; None when nobody was answered."""
    stops: list[Stop] = field(default_factory=list)
    found: FoundRun | None = None

    def tell_end(self, time: float) -> None:
        if self.ended is None:
            self.ended = time


@dataclass(slots=True, kw_only=True)
class FoundRun:
    """The run as the API shows it at the end; `status` None: there is no such run."""

    status: str | None


@dataclass(slots=True, kw_only=True)
class FoundThread:
    """The thread as the API shows it at the end; `status` None: there is no such thread."""

    status: str | None
    values: Any = None
    interrupts: Any = None
    state: Any = None
    """The answer of its state; None when it was not 200."""


@dataclass(slots=True, kw_only=True)
class ThreadStory:
    """A thread that clients made.

    deleted: when its deletion was answered. maybe_deleted: it was asked for, but nobody was answered. uncertain: so was
    a run of it, which may be there.
    """

    thread_id: str
    deleted: float | None = None
    maybe_deleted: bool = False
    uncertain: bool = False
    found: FoundThread | None = None


@dataclass(slots=True, kw_only=True)
class CronStory:
    """A cron that is due each second, from `first` to `last`, in seconds of the time of day. `created`: as all times.

    made: the moments at which it was due, and the runs that were made; None when they could not be found out.
    runs: the ids of all runs that say that it has made them.
    """

    cron_id: str
    tag: str
    steps: int
    first: int
    last: int
    created: float
    made: list[tuple[int, str | None]] | None = None
    runs: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class KeyStory:
    """A request for a run with an idempotency key, sent again and again by several senders.

    answers: the run that each was answered. refusals: answers that say that it will not be carried out. there: how many
    runs the thread has, which was made for it; None when that could not be found out.
    """

    key: str
    thread_id: str
    answers: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    there: int | None = None


@dataclass(slots=True, kw_only=True)
class BatchStory:
    """A batch whose acceptance was answered. counts: how many items have which status, as the API shows it at the end;
    None when it could not be found out."""

    batch_id: str
    runs: list[str]
    counts: dict[str, int] | None = None


@dataclass(slots=True, kw_only=True)
class ItemStory:
    """An item of the store, written in versions.

    kept: the latest that a client was told was stored. unknown: those of which it was told nothing. found: the one that
    is there at the end, or none; None when that could not be found out.
    """

    key: str
    kept: int | None = None
    unknown: set[int] = field(default_factory=set)
    found: list[int] | None = None


@dataclass(slots=True, kw_only=True)
class ToldStory:
    """A thread whose events a client followed from its beginning.

    runs: those that it was told were started. live: what it read. replayed: what was read at the end; None when the
    server did not answer.
    """

    thread_id: str
    runs: list[str] = field(default_factory=list)
    live: list[dict[str, Any]] = field(default_factory=list)
    replayed: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook that came. `tag`: of the input of its run."""

    run_id: str
    tag: str | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStory:
    """A fault, from its beginning to its end. `holds`: it may keep a stop from reaching a worker in time."""

    name: str
    begin: float
    end: float
    detail: str = ""
    holds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation. `kind` is a name of the table in `report`; `text` says what was promised and what was seen."""

    kind: str
    text: str
    run_id: str | None = None
    thread_id: str | None = None


@dataclass(slots=True)
class Evidence:
    """All of one round."""

    runs: list[RunStory] = field(default_factory=list)
    threads: dict[str, ThreadStory] = field(default_factory=dict)
    streams: list[StreamStory] = field(default_factory=list)
    crons: list[CronStory] = field(default_factory=list)
    keys: list[KeyStory] = field(default_factory=list)
    counted: list[BatchStory] = field(default_factory=list)
    items: list[ItemStory] = field(default_factory=list)
    told: list[ToldStory] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    faults: list[FaultStory] = field(default_factory=list)
    deaths: dict[int, float] = field(default_factory=dict)
    """When which processes were killed."""
    tags: set[str] = field(default_factory=set)
    """Of all inputs that were ever sent, accepted or not."""
    batches: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Batches that broke off before their answer: how many items were sent, and how many are there."""
    failures: list[Finding] = field(default_factory=list)
    """What was wrong with single answers, the database or the processes, found where it was seen."""
