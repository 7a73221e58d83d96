"""How long threads and items of the store live where the project says so for all of them."""

from __future__ import annotations

import json
import sqlite3
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.live_server import PROJECT, LiveServer

from .chain_threads import checkpoint_count, copy_of, thread_that_counted
from .waiting import wait_until

SECOND = 1 / 60
"""In minutes, the unit of lifetimes."""
OFTEN = SECOND / 10
GRAPHS = {"chain": f"{PROJECT.parent}/steps.py:chain"}

pytestmark = pytest.mark.full


def start(folder: Path, **sections: Any) -> LiveServer:
    config = folder / "langgraph.json"
    config.write_text(json.dumps({"graphs": GRAPHS, "env": {"LANGSMITH_TRACING": "false"}, **sections}))
    return LiveServer(folder / "data", config=config, args=("--workers", "1")).start()


async def threads_of_all_kinds(client: LangGraphClient) -> list[str]:
    """Of each way in which a thread comes to be without a lifetime of its own, one with the history of a run."""
    made = await thread_that_counted(client)
    copied = await copy_of(client, made)
    by_run = str(uuid.uuid4())
    await client.runs.wait(by_run, "chain", input={"n": 1}, if_not_exists="create")
    kept: Any = await client.runs.create(None, "chain", input={"n": 1}, on_completion="keep")
    await client.runs.join(kept["thread_id"], kept["run_id"])
    return [made, by_run, kept["thread_id"], copied]


async def test_threads_go_when_the_projects_time_is_over(tmp_path: Path) -> None:
    ttl = {"strategy": "delete", "default_ttl": 2 * SECOND, "sweep_interval_minutes": OFTEN, "sweep_limit": 1}
    server = start(tmp_path, checkpointer={"ttl": ttl})
    try:
        client = get_client(url=server.url, api_key=None)
        lasting = await thread_that_counted(client, ttl=60)
        await threads_of_all_kinds(client)
        left = await wait_until(lambda: client.threads.search(limit=100), lambda found: len(found) <= 1)
        assert [thread["thread_id"] for thread in left] == [lasting]
    finally:
        server.close()


async def test_histories_go_and_states_stay(tmp_path: Path) -> None:
    ttl = {"strategy": "keep_latest", "default_ttl": SECOND, "sweep_interval_minutes": OFTEN}
    server = start(tmp_path, checkpointer={"ttl": ttl})
    try:
        client = get_client(url=server.url, api_key=None)
        lasting = await thread_that_counted(client, ttl=60)
        for thread in await threads_of_all_kinds(client):
            await wait_until(partial(checkpoint_count, client, thread), lambda count: count == 1)
            state: Any = await client.threads.get_state(thread)
            assert state["values"]["log"] == ["a", "b", "c"]
        assert await checkpoint_count(client, lasting) == 5
        await client.threads.update(lasting, metadata={}, ttl={"ttl": SECOND, "strategy": "delete"})
        await wait_until(lambda: client.threads.search(ids=[lasting]), lambda found: not found)
    finally:
        server.close()


@pytest.mark.parametrize("refresh", [True, False])
async def test_items_of_the_store_go_unless_they_are_read(tmp_path: Path, refresh: bool) -> None:
    ttl = {"default_ttl": 2 * SECOND, "refresh_on_read": refresh, "sweep_interval_minutes": OFTEN}
    server = start(tmp_path, store={"ttl": ttl})
    try:
        client = get_client(url=server.url, api_key=None)
        await client.store.put_item(["a"], "lasting", {"n": 1}, ttl=60)
        await client.store.put_item(["a"], "unread", {"n": 1})
        await client.store.put_item(["a"], "read", {"n": 1})

        async def left() -> set[str]:
            server.http.get(f"{server.url}/store/items", params={"namespace": "a", "key": "read"})
            return rows(server)

        await wait_until(left, lambda keys: keys == ({"lasting", "read"} if refresh else {"lasting"}))
    finally:
        server.close()


def rows(server: LiveServer) -> set[str]:
    """The keys of all items that the database has, whether anybody can see them or not."""
    connection = sqlite3.connect(f"file:{server.data}/store.db?mode=ro", uri=True)
    try:
        return {key for (key,) in connection.execute("select key from items")}
    finally:
        connection.close()
