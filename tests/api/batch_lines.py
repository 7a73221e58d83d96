"""Batches that a test submits with the stock client, and the lines of their results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import orjson
from langgraph_sdk.client import LangGraphClient


async def submit(client: LangGraphClient, items: Sequence[Any], **headers: str) -> str:
    """The id of a new batch. `headers`: what is asked for it, by the end of the header's name, `_` for `-`."""
    asked = {f"X-Batch-{name.replace('_', '-')}": value for name, value in headers.items()}
    runs: list[Any] = await client.runs.create_batch([*items], headers=asked)
    return str(runs[0]["batch_id"])


async def lines_of(http: httpx.AsyncClient, batch_id: str, **asked: Any) -> AsyncIterator[dict[str, Any]]:
    """The lines of the results, as they come; empty ones left out. `asked` are parameters of the request."""
    async with http.stream("GET", f"/batches/{batch_id}/results", params=asked) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line:
                yield orjson.loads(line)


async def results_of(http: httpx.AsyncClient, batch_id: str, **asked: Any) -> list[dict[str, Any]]:
    """All lines of the results."""
    return [line async for line in lines_of(http, batch_id, **asked)]


async def ended(http: httpx.AsyncClient, batch_id: str) -> list[dict[str, Any]]:
    """The results of all items, in order, once the batch has ended."""
    async for _ in lines_of(http, batch_id, follow=True):
        pass
    return await results_of(http, batch_id)
