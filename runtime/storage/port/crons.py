"""Crons: what clients ask for, and the runs that are made of them.

The moments at which a cron is due are those of the calendar, so that they go by the time of day, as the backend tells
it: whoever sets it sets when `0 8 * * *` is. They are microseconds since 1970, and the caller's to find out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from runyard.generated.models import CronCountRequest, CronSearch
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import InsertResult, NewRun

OnRunCompleted = Literal["delete", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCron:
    """A cron as it is kept.

    payload: the request that made it, with the changes since. end_time: the last moment at which it may be due.
    next_due: the next one at which a run is to be made; None when there is none any more. timed_at: when that was found
    out. revision: counts the changes.
    creator: whose runs it makes. creator_details: all that is known of them, as JSON, for the code of graphs.
    encryption: the context in which its runs are encrypted; None without encryption. unreadable: why its payload is not
    known. What has a default comes from storage.
    """

    cron_id: str
    assistant_id: str
    thread_id: str | None
    schedule: str
    timezone: str | None
    end_time: int | None
    enabled: bool
    on_run_completed: OnRunCompleted | None
    payload: dict[str, Any]
    metadata: dict[str, Any]
    next_due: int | None = None
    timed_at: int = 0
    creator: str | None = None
    creator_details: str | None = field(default=None, repr=False)
    revision: int = 0
    created_at: int = 0
    updated_at: int = 0
    encryption: Mapping[str, Any] | None = field(default=None, repr=False)
    unreadable: str | None = None

    @property
    def runs_scope(self) -> Scope:
        """Who its runs are made for. How far those reach was decided when it was made."""
        return Scope(identity=self.creator, user=self.creator_details, encryption=self.encryption)


CronChange = Callable[[StoredCron, int], StoredCron]
"""What a cron becomes, given it and the time of day; called within the transaction, so it must be quick and have no
effects."""


@dataclass(frozen=True, slots=True)
class DueCrons:
    """The time of day, and crons that are due by it, as they are. `seconds`: until the next one is, 0 when there may be
    more that are; None when there is none. `misdated`: crons whose next moment was found out at a time of day that is
    yet to come, because somebody has set it back."""

    now: int
    crons: list[StoredCron]
    seconds: float | None
    misdated: list[StoredCron]


@dataclass(frozen=True, slots=True)
class Firing:
    """A cron is due: what is to be written, unless it is not as it was any more, or another has done it.

    due: the moment that counts. next_due: the one to wait for from now on. new_run: None when there cannot be one, for
    the reason that `refusal` has.
    """

    cron: StoredCron
    due: int
    next_due: int | None
    new_run: NewRun | None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """What became of a firing: a run (`inserted`), or a refusal, for people."""

    firing: Firing
    inserted: InsertResult | None
    refusal: str | None = None


class CronStorage(Protocol):
    """Crons, and the moments at which they were due."""

    async def create(
        self,
        scope: Scope,
        cron: StoredCron,
        change: CronChange,
        expiry: Expiry | None = None,
        key: IdempotencyKey | None = None,
    ) -> StoredCron:
        """Writes what `change` makes of a new cron, and keeps `key` with it. Its thread, if it is on one, is kept when
        it was a run's only, with the lifetime `expiry`; which threads there are is up to `scope.of("threads")`. Raises
        NotFound for one that there is not, and KeyTaken."""

    async def get(self, scope: Scope, cron_id: str) -> StoredCron | None:
        """None when there is no such cron."""

    async def change(self, scope: Scope, cron_id: str, change: CronChange) -> StoredCron | None:
        """Writes what `change` makes of the cron; None when there is no such cron. Raises what `change` raises, and
        nothing is written then."""

    async def delete(self, scope: Scope, cron_id: str) -> bool:
        """Whether there was such a cron."""

    async def search(self, scope: Scope, request: CronSearch, *, limit: int, offset: int) -> list[StoredCron]:
        """Those that match, in the order that was asked for."""

    async def count(self, scope: Scope, request: CronCountRequest) -> int:
        """How many match."""

    async def due(self, limit: int) -> DueCrons:
        """Up to `limit` crons that are due, the longest due first, and as many that are misdated. Costs next to nothing
        when there are none."""

    async def fire(self, firings: Sequence[Firing]) -> list[Fired]:
        """Writes each run, as its cron's creator, in one transaction with the note that its moment has come and with
        the next one; all of them in as many as it takes. A moment that somebody else has seen to is left out, and so is
        a cron that has changed. A run that its thread refuses (it is busy and the strategy is `reject`, or is not there
        any more) is not made at another time. Raises Unavailable when nothing could be written."""
