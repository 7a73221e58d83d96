"""Items of the store whose put was answered are there after `kill -9`, whole and with their vectors."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Literal

import httpx
import pytest
from langgraph_sdk import get_client

from tests.live_server import StartServer

PROJECT = Path(__file__).parents[1] / "sample_projects" / "remembering" / "langgraph.json"
ENOUGH = 100


@pytest.mark.full
async def test_items_survive_a_server_that_is_killed_while_they_are_put(start_server: StartServer) -> None:
    server = start_server(config=PROJECT, args=("--workers", "1"))
    kept: list[str] = []
    numbers = itertools.count()
    enough = asyncio.Event()

    async def put() -> None:
        client = get_client(url=server.url)
        for number in numbers:
            index: Literal[False] | None = None if number % 2 else False
            try:
                await client.store.put_item(["n"], f"{number}", {"text": "lake", "indexed": index is None}, index=index)
            except httpx.HTTPError:
                return  # the server is gone
            kept.append(f"{number}")
            if len(kept) == ENOUGH:
                enough.set()

    putting = [asyncio.create_task(put()) for _ in range(8)]
    await asyncio.wait_for(enough.wait(), 60)
    server.kill()
    await asyncio.gather(*putting)
    server.start()
    client = get_client(url=server.url)
    found = (await client.store.search_items(["n"], limit=1000))["items"]
    near = (await client.store.search_items(["n"], query="water", limit=1000))["items"]
    assert {item["key"] for item in found} >= set(kept)
    assert {item["key"] for item in near} == {item["key"] for item in found if item["value"]["indexed"]}
