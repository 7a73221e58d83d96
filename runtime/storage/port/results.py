"""What the items of batches have come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import FinalStatus, NewRun, Strategy


@dataclass(frozen=True, slots=True)
class ItemResult:
    """The result of an item that has ended: that of its latest run.

    index: the place of the item in its batch, from 0. end: the number of this end among all in the batch, from 1; an
        item that was retried has ended more than once.
    custom_id: that of the item's metadata, whatever it is there. retry_of: the run that this one replaces.
    attempts: how often the run was claimed. tries: how often its graph was executed until it ended or raised; 0 for one
        that was never claimed.
    answer: what joining the run answers, as JSON; None when it is no longer kept.
    """

    index: int
    end: int
    run_id: str
    retry_of: str | None
    custom_id: Any
    status: FinalStatus
    attempts: int
    tries: int
    answer: bytes | None


class ResultsState(NamedTuple):
    """How far the results of a batch are: how many ends there were, whether there is nothing more to come, and whether
    the results are no longer kept."""

    ends: int
    complete: bool
    erased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedItem:
    """An item to be run anew, with what its latest run was made of."""

    index: int
    run_id: str
    assistant_id: str
    graph_id: str
    strategy: Strategy
    temporary: bool
    resumable: bool
    webhook: str | None
    metadata: dict[str, Any]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemRetry:
    """The place of a failed item, its latest run, and the one that is to take its place."""

    index: int
    run_id: str
    new_run: NewRun


class RetryResult(NamedTuple):
    """How many items have a new run, and how many of those are ready."""

    retried: int
    ready: int


class ResultStorage(Protocol):
    """Results of items, for as long as their batch keeps them. They outlive runs and threads."""

    async def state(self, scope: Scope, batch_id: str) -> ResultsState | None:
        """How far the results of a batch are; None when there is no such batch."""

    async def by_index(
        self, scope: Scope, batch_id: str, after: int, *, upto: int | None, statuses: Sequence[FinalStatus], size: int
    ) -> list[ItemResult]:
        """Results behind the item `after`, in the order of the items, in so far as they came with the end of number
        `upto` (None: whenever); those with one of the statuses, none named: all. About `size` bytes of them; empty when
        there are no more."""

    async def by_end(
        self, scope: Scope, batch_id: str, after: int, *, statuses: Sequence[FinalStatus], size: int
    ) -> list[ItemResult]:
        """As `by_index`, behind the end of number `after`, in the order of the ends."""

    async def failed(
        self, scope: Scope, batch_id: str, after: int, *, statuses: Sequence[FinalStatus], limit: int
    ) -> list[FailedItem]:
        """Up to `limit` items behind the item `after` whose latest run ended with one of the statuses, in order."""

    async def retry(self, scope: Scope, batch_id: str, retries: Sequence[ItemRetry]) -> RetryResult:
        """Puts new runs in the place of failed ones, within the room that the batch has. Passes over items whose latest
        run is another by now. One transaction, so of few items."""

    async def expire(self, older_than: float, limit: int) -> bool:
        """Gives up results whose batch ended more than `older_than` seconds ago, or as many as the batch itself says;
        `limit` runs at most. Whether there may be more."""

    async def shrink(self, most: int, limit: int) -> bool:
        """Drops answers, the oldest first, `limit` at most, while all that are kept for batches have more than `most`
        bytes. The items' statuses and errors stay. Whether there may be more to drop."""
