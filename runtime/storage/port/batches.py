"""Batches: what was accepted in one request, followed and ended as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from runyard.generated.models import Batch, BatchStatus, Run
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelResult, RunStatus
from runyard.runtime.storage.port.workers import EndedRuns


@dataclass(frozen=True, slots=True)
class StoppedItems:
    """What a step of the cancellation of a batch did, and the place of the item behind which to go on; None when there
    is no more to do."""

    result: CancelResult
    after: int | None


class BatchState(NamedTuple):
    """Tells whether anything of a batch has changed. `counts`: those of its items in the order of `BatchCounts`, then
    those of `BatchTokens`; `cancelled`, `ended`: whether it is to be stopped, and has ended."""

    counts: tuple[int, ...]
    cancelled: bool
    ended: bool


@dataclass(slots=True)
class LateItems:
    """The items that were ended since their time was over, and whether there may be more of them."""

    ended: EndedRuns = field(default_factory=EndedRuns)
    more: bool = False


class BatchStorage(Protocol):
    """Batches. They come into being with their runs, see `RunStorage.insert`, and their counts are kept in the
    transactions that change runs. What becomes of a run after its end does not change them."""

    async def get(self, scope: Scope, batch_id: str) -> Batch | None:
        """None when there is no such batch."""

    async def state(self, scope: Scope, batch_id: str) -> BatchState | None:
        """Costs next to nothing. None when there is no such batch."""

    async def search(
        self,
        scope: Scope,
        *,
        statuses: Sequence[BatchStatus] | None,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        limit: int,
        offset: int,
    ) -> list[Batch]:
        """Batches with one of the statuses, whose name contains `name` in whatever case and whose metadata contain
        `metadata`; newest first. None: no condition."""

    async def runs(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[RunStatus] | None, limit: int, offset: int
    ) -> list[Run] | None:
        """The runs of a batch that are there, in the order of its items; None when there is no such batch."""

    async def request_cancel(self, scope: Scope, batch_id: str) -> Batch | None:
        """Notes that the batch is to be stopped, unless it has ended; `stop_some` does it. None when there is no such
        batch."""

    async def delete(self, scope: Scope, batch_id: str) -> bool | None:
        """Removes a batch that has ended; False for one that has not, None when there is none. What is left of it then
        is removed by `remove_leftovers`."""

    async def stop_some(self, batch_id: str, after: int, limit: int) -> StoppedItems:
        """Ends up to `limit` pending items, and asks running ones to stop, of those behind the place `after` (-1: of
        all)."""

    async def cancelled(self, limit: int) -> list[str]:
        """Batches that are to be stopped and have not ended."""

    async def end_late(self, limit: int) -> LateItems:
        """Ends up to `limit` items, in `timeout`, whose batch has a time to begin or to end that is over."""

    async def next_late(self) -> float | None:
        """Seconds until a batch's time to begin or to end is over, 0 when one is; None when none has such a time."""

    async def forget(self, older_than: float, limit: int) -> int:
        """Removes, as `delete` does, up to `limit` batches that ended more than `older_than` seconds ago. Returns how
        many."""

    async def remove_leftovers(self) -> bool:
        """Removes some of what is left of deleted batches; whether there may be more."""
