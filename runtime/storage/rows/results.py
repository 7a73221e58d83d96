"""Between the rows of the results of batches, as every backend has them, and what is answered."""

from __future__ import annotations

from typing import Any

import orjson

from runyard.runtime.storage.port.results import FailedItem, ItemResult


def result_from_row(row: tuple[Any, ...], custom_id: Any) -> ItemResult:
    """What an item answered; `custom_id` is that of its metadata, which backends read in their own ways."""
    index, end, run_id, retry_of, _, status, attempts, failed, answer = row
    tries = failed + 1 if attempts else 0
    return ItemResult(index, end, run_id, retry_of, custom_id, status, attempts, tries, answer)


def failed_from_row(row: tuple[Any, ...]) -> FailedItem:
    """An item that has failed, with what a retry needs."""
    index, run_id, assistant_id, graph_id, strategy, temporary, resumable, webhook, metadata, kwargs = row
    return FailedItem(
        index=index,
        run_id=run_id,
        assistant_id=assistant_id,
        graph_id=graph_id,
        strategy=strategy,
        temporary=bool(temporary),
        resumable=bool(resumable),
        webhook=webhook,
        metadata=orjson.loads(metadata),
        kwargs=orjson.loads(kwargs),
    )
