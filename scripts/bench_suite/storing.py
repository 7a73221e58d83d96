"""Scenario of a large store: putting, getting and searching items."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson

from scripts.bench_suite.client import Connection
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.load import checked, latencies, percentile
from scripts.bench_suite.rates import Figures
from scripts.bench_suite.servers import Server

_CLIENTS = 16
_USERS = 1_000
_SEARCHES: dict[str, dict[str, Any]] = {
    "store_newest": {},
    "store_user": {"namespace_prefix": ["users", "user-7"]},
    "store_filtered": {"filter": {"number": {"$gte": 10}, "kind": "rare"}},
    "store_meaning": {"query": "what is like this?"},
    "store_meaning_user": {"namespace_prefix": ["users", "user-7"], "query": "what is like this?"},
    "store_meaning_filtered": {"filter": {"kind": "rare"}, "query": "what is like this?"},
}


async def store(server: Server, effort: Effort) -> Figures:
    """/store with many items: put, get, search for the newest, by values, by vectors of 384 numbers."""
    plain = effort.items // 10
    figures: Figures = {"store_items": effort.items}
    figures["store_put"] = await _put(server, range(plain), index=False)
    figures["store_put_indexed"] = await _put(server, range(plain, effort.items), index=None)
    get = "/store/items?namespace=users.user-7&key=item-7"
    taken, _ = await latencies(
        server,
        lambda connection: connection.request("GET", get),
        count=effort.searches,
        clients=1,
        seconds=effort.request_seconds,
    )
    figures["store_get"] = percentile(taken, 0.5) * 1e3
    for key, body in _SEARCHES.items():
        figures[key] = await _median(server, effort, "/store/items/search", body)
    figures["store_namespaces"] = await _median(server, effort, "/store/namespaces", {"suffix": ["user-7"]})
    return figures


async def _put(server: Server, numbers: range, *, index: bool | None) -> float:
    """Items a second."""
    left = iter(numbers)

    async def put(connection: Connection) -> None:
        for number in left:
            value = {"text": f"text {number}", "number": number, "kind": "rare" if number % 1_000 == 7 else "usual"}
            item = {"namespace": ["users", f"user-{number % _USERS}"], "key": f"item-{number}", "value": value}
            request = connection.request("PUT", "/store/items", orjson.dumps({**item, "index": index}))
            checked(await connection.send(request, lambda chunk, now: None), "putting an item")

    connections = [server.connect() for _ in range(_CLIENTS)]
    begin = time.perf_counter()
    await asyncio.gather(*map(put, connections))
    taken = time.perf_counter() - begin
    for connection in connections:
        connection.close()
    return len(numbers) / taken


async def _median(server: Server, effort: Effort, path: str, body: dict[str, Any]) -> float:
    """Milliseconds."""

    def request(connection: Connection) -> bytes:
        return connection.request("POST", path, orjson.dumps(body))

    taken, _ = await latencies(server, request, count=effort.searches, clients=1, seconds=effort.request_seconds)
    return percentile(taken, 0.5) * 1e3
