"""Scenario of many threads: searching must stay fast."""

from __future__ import annotations

import asyncio
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
    "search_newest": {},
    "search_user": {"metadata": {"user": "user-7"}},
    "search_nobody": {"metadata": {"user": "nobody"}},
    "search_status": {"status": "idle", "metadata": {"user": "user-7"}, "sort_by": "updated_at"},
    "search_deep": {"metadata": {"deep": {"number": 70_007}}},
}


async def search(server: Server, effort: Effort) -> Figures:
    """/threads/search and /threads/count with many threads: the newest, those of one user, those of nobody."""
    numbers = iter(range(effort.threads))

    async def create(connection: Connection) -> None:
        for number in numbers:
            metadata = {"user": f"user-{number % _USERS}", "number": number, "deep": {"number": number}}
            checked(await connection.post("/threads", {"metadata": metadata}), "creating a thread")

    connections = [server.connect() for _ in range(_CLIENTS)]
    await asyncio.gather(*map(create, connections))
    for connection in connections:
        connection.close()
    figures: Figures = {"search_threads": effort.threads}
    for key, body in _SEARCHES.items():
        figures[key] = await _median(server, effort, "/threads/search", body)
    figures["search_count"] = await _median(server, effort, "/threads/count", {"metadata": {"user": "user-7"}})
    return figures


async def _median(server: Server, effort: Effort, path: str, body: dict[str, Any]) -> float:
    """Milliseconds."""

    def request(connection: Connection) -> bytes:
        return connection.request("POST", path, orjson.dumps(body))

    taken, _ = await latencies(server, request, count=effort.searches, clients=1, seconds=effort.request_seconds)
    return percentile(taken, 0.5) * 1e3
