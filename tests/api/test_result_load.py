"""The results of very many items, and one reader who is slow."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest

from runyard.handlers.http.json_lines import JsonLines
from runyard.runtime.scope import Scope
from runyard.runtime.services.batch_results import PAGE, ResultLines
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.live_server import StartServer
from tests.many_results import ended_batch

SIZE = 2_000
"""Bytes that an item has answered."""


async def never() -> Any:
    await asyncio.Event().wait()


async def test_no_more_results_are_read_than_the_reader_takes(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    batch_id = await ended_batch(storage, 10_000, SIZE)
    state = await storage.results.state(Scope.everything(), batch_id)
    assert state is not None
    source = ResultLines(storage.results, Scope.everything(), batch_id, state, after=-1, statuses=(), follow=False)
    sizes: list[int] = []
    lines = 0

    async def send(message: Any) -> None:
        nonlocal lines
        sizes.append(len(message.get("body", b"")))
        lines += message.get("body", b"").count(b"\n")
        await asyncio.sleep(0)

    tracemalloc.start()
    await JsonLines(source)({}, never, send)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    storage.close()
    assert lines == 10_000
    assert sum(sizes) > 10_000 * SIZE
    assert max(sizes) < 2 * PAGE
    assert peak < 16 * PAGE


@pytest.mark.full
@pytest.mark.timeout(400)
async def test_a_slow_reader_of_forty_thousand_results_costs_no_memory(start_server: StartServer) -> None:
    server = start_server(args=("--workers", "1"))
    assert server.stop() == 0
    storage = SqliteStorage(server.data / "runyard.db")
    storage.open(maintain=False)
    batches = [await ended_batch(storage, 10_000, SIZE) for _ in range(4)]
    storage.close()
    server.start()
    process = psutil.Process(server.pid)
    before = most = process.memory_info().rss
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        for batch_id in batches:
            count = 0
            async with http.stream("GET", f"/batches/{batch_id}/results") as response:
                async for line in response.aiter_lines():
                    assert orjson.loads(line)["index"] == count
                    count += 1
                    if count % 2_000 == 0:
                        answer = await http.post("/runs/wait", json={"assistant_id": "chain", "input": {"n": 1}})
                        assert answer.json()["n"] == 112
                        most = max(most, process.memory_info().rss)
            assert count == 10_000
    assert most - before < 32 * 2**20, "80 MB of results were read"
