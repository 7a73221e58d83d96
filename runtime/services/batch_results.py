"""The results of batches: read, followed while they come, and failed items run anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

import orjson

from runyard.generated.models import Batch
from runyard.runtime.bus.workers import Workers
from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.new_runs import RunRules, run_anew
from runyard.runtime.storage.port.results import FailedItem, ItemResult, ItemRetry, ResultsState, ResultStorage
from runyard.runtime.storage.port.runs import FinalStatus
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.outages import outlasting

PAGE = 256 * 1024
"""Bytes of results that are read at once; the next come when the client has taken these."""
LOOK_AGAIN = 0.25
"""Seconds between two looks for results that came meanwhile."""
RETRIED_TOGETHER = 100
"""Items that one transaction gives new runs: other writes must get in between."""

ItemToRetry = FailedItem
Allow = Callable[[ItemToRetry], Awaitable[tuple[Scope, ItemToRetry]]]
"""Decides whether an item may be run anew: how far that reaches among the assistants, and the item as it is to be run.
Raises Refusal."""

_ERROR = b'{"__error__":'


class ResultLines:
    """The results of a batch as JSON Lines, a page at a time: those that there are, in the order of the items, and, if
    the batch is followed, the others as they come, in the order of their ends, until it has ended."""

    def __init__(
        self,
        results: ResultStorage,
        scope: Scope,
        batch_id: str,
        state: ResultsState,
        *,
        after: int,
        statuses: Sequence[FinalStatus],
        follow: bool,
    ) -> None:
        self._results = results
        self._scope = scope
        self._batch_id = batch_id
        self._statuses = statuses
        self._after: int | None = after
        self._ends = state.ends
        self._follow = follow

    async def next(self, timeout: float) -> bytes | None:
        """Some lines; none after `timeout` seconds in which there were no new ones; None at the end."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        if self._after is not None:
            page = await outlasting(
                partial(
                    self._results.by_index,
                    self._scope,
                    self._batch_id,
                    self._after,
                    upto=self._ends if self._follow else None,
                    statuses=self._statuses,
                    size=PAGE,
                )
            )
            if page:
                self._after = page[-1].index
                return b"".join(map(result_line, page))
            self._after = None
            await self._kept()  # or the reader would take what is left out for items that have not ended
        while self._follow:
            # Before the page: when nothing more is to come now, that page has the rest.
            state = await self._kept()
            if state.ends > self._ends:
                page = await outlasting(
                    partial(
                        self._results.by_end,
                        self._scope,
                        self._batch_id,
                        self._ends,
                        statuses=self._statuses,
                        size=PAGE,
                    )
                )
                self._ends = page[-1].end if page else state.ends
                if page:
                    return b"".join(map(result_line, page))
            elif state.complete:
                return None
            if (left := until - loop.time()) <= 0:
                return b""
            await asyncio.sleep(min(left, LOOK_AGAIN))
        return None

    async def _kept(self) -> ResultsState:
        state = await outlasting(partial(self._results.state, self._scope, self._batch_id))
        if state is None or state.erased:
            raise NotFound(f"The results of batch {self._batch_id} were given up while they were read")
        return state


def result_line(result: ItemResult) -> bytes:
    """One line, with its end. What the run answered is JSON already, and is not looked into."""
    values, error = result.answer or b"null", b"null"
    if result.status != "success" and values.startswith(_ERROR):
        values, error = b"null", values.removeprefix(_ERROR)[:-1]
    head = orjson.dumps(
        {
            "index": result.index,
            "run_id": result.run_id,
            "custom_id": result.custom_id,
            "status": result.status,
            "attempts": result.attempts,
            "tries": result.tries,
            "retry_of": result.retry_of,
            "values_dropped": result.answer is None,
        }
    )
    return b'%b,"values":%b,"error":%b}\n' % (head[:-1], values, error)


class BatchResults:
    """The service behind the operations on the results of batches."""

    def __init__(self, storage: Storage, workers: Workers, rules: RunRules) -> None:
        self._results = storage.results
        self._batches = storage.batches
        self._assistants = storage.assistants
        self._workers = workers
        self._rules = rules

    async def read(
        self, scope: Scope, batch_id: str, *, after: int, statuses: Sequence[FinalStatus], follow: bool
    ) -> ResultLines:
        """The results of the items behind the item `after` that have one of the statuses; none named: whatever theirs
        are. Raises NotFound for a batch that is not there, or whose results are no longer kept."""
        state = await self._state(scope, batch_id)
        if state.erased:
            raise NotFound(
                f"The results of batch {batch_id} are no longer kept. Send X-Batch-Result-TTL with a batch for its "
                "results to be kept longer."
            )
        return ResultLines(self._results, scope, batch_id, state, after=after, statuses=statuses, follow=follow)

    async def retry(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[FinalStatus], allow: Allow | None = None
    ) -> Batch:
        """Gives items that ended with one of the statuses new runs, some in each transaction; what is left when that is
        cut short is retried by asking again. `allow` is asked about all of them first, and one that it refuses refuses
        all; None: they are as they were. Returns the batch as it is then. Raises NotFound, Conflict when the inputs are
        no longer kept, and what `allow` raises."""
        state = await self._state(scope, batch_id)
        if state.erased:
            raise Conflict(
                f"The results of batch {batch_id} are no longer kept, and neither are the inputs of its items. Submit "
                "them again."
            )
        if allow is not None:
            async for items in self._failed(scope, batch_id, statuses):
                for item in items:
                    await self._allowed(allow, item)
        async for items in self._failed(scope, batch_id, statuses):
            asked = items if allow is None else [await self._allowed(allow, item) for item in items]
            retries = [ItemRetry(item.index, item.run_id, run_anew(item, self._rules)) for item in asked]
            result = await self._results.retry(scope, batch_id, retries)
            self._workers.wake(result.ready)
        batch = await self._batches.get(scope, batch_id)
        if batch is None:
            raise _not_found(batch_id)
        return batch

    async def _failed(
        self, scope: Scope, batch_id: str, statuses: Sequence[FinalStatus]
    ) -> AsyncIterator[Sequence[FailedItem]]:
        after = -1
        while items := await self._results.failed(scope, batch_id, after, statuses=statuses, limit=RETRIED_TOGETHER):
            yield items
            after = items[-1].index

    async def _allowed(self, allow: Allow, item: FailedItem) -> FailedItem:
        scope, allowed = await allow(item)
        if await self._assistants.get(scope, item.assistant_id) is None:
            raise NotFound(f"Assistant '{item.assistant_id}' not found")
        return allowed

    async def _state(self, scope: Scope, batch_id: str) -> ResultsState:
        state = await self._results.state(scope, batch_id)
        if state is None:
            raise _not_found(batch_id)
        return state


def _not_found(batch_id: str) -> NotFound:
    return NotFound(f"Batch with ID {batch_id} not found")
