"""Operations on the results of batches."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from runyard.generated.models import Batch, BatchResultStatus
from runyard.handlers.api.batch_access import read_batch, retry_batch, retry_item
from runyard.handlers.http.json_lines import JsonLines, LineSource
from runyard.handlers.http.responses import Response, json_response
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runyard.runtime.services.batch_results import Allow


class BatchResultService(Protocol):
    """What the operations need of the service."""

    async def read(
        self, scope: Scope, batch_id: str, *, after: int, statuses: Sequence[BatchResultStatus], follow: bool
    ) -> LineSource:
        """The results of the items behind the item `after`, those with one of the statuses, none named: all; and those
        to come, if they are to be followed. Raises NotFound."""

    async def retry(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[BatchResultStatus], allow: Allow | None = None
    ) -> Batch:
        """Gives items that ended with one of the statuses new runs; none where `allow` refuses one. Raises NotFound,
        Conflict when their inputs are no longer there, and what `allow` raises."""


class BatchResultHandlers:
    """The operations with the tag Batches that are about results."""

    def __init__(self, results: BatchResultService) -> None:
        self.results = results

    async def read(
        self,
        principal: Principal,
        batch_id: str,
        after: int,
        status: list[BatchResultStatus] | None,
        follow: bool,
    ) -> Response:
        """GET /batches/{batch_id}/results"""
        scope = await read_batch(principal)
        return JsonLines(await self.results.read(scope, batch_id, after=after, statuses=status or (), follow=follow))

    async def retry(
        self, principal: Principal, batch_id: str, status: list[Literal["error", "timeout", "interrupted"]] | None
    ) -> Response:
        """POST /batches/{batch_id}/retry"""
        scope = await retry_batch(principal, batch_id)
        allow = None if principal.rules is None else partial(retry_item, principal)
        wanted: Sequence[BatchResultStatus] = status or ("error", "timeout")
        return json_response(await self.results.retry(scope, batch_id, statuses=wanted, allow=allow))
