"""Threads that are pruned, by hand or by their lifetime, and how much they store."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from tests.gate import Gate

from .chain_threads import checkpoint_count, thread_that_counted
from .waiting import wait_until

pytestmark = pytest.mark.postgres

SECOND = 1 / 60
"""In minutes, the unit of lifetimes."""


async def test_many_threads_are_pruned_at_once(client: LangGraphClient) -> None:
    threads = [await thread_that_counted(client) for _ in range(3)]
    nobody = str(uuid.uuid4())
    assert await client.threads.prune([threads[0], threads[0], nobody], strategy="keep_latest") == {"pruned_count": 1}
    assert [await checkpoint_count(client, thread) for thread in threads] == [1, 5, 5]
    state = await client.threads.get_state(threads[0])
    assert state["values"] == {"n": 112, "log": ["a", "b", "c"], "last": "c"}
    answer: Any = await client.runs.wait(threads[0], "chain", input={"n": 1})
    assert answer["n"] == 224, "it goes on as if nothing had happened"
    assert await client.threads.prune([*threads, nobody]) == {"pruned_count": 3}
    assert await client.threads.prune(threads) == {"pruned_count": 0}


async def test_a_busy_thread_is_not_pruned(client: LangGraphClient, gate: Gate) -> None:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "gated", input=gate.input())
    assert await client.threads.prune([thread], strategy="keep_latest") == {"pruned_count": 0}
    gate.open()
    await client.runs.join(thread, run["run_id"])
    assert await client.threads.prune([thread], strategy="keep_latest") == {"pruned_count": 1}


async def test_a_thread_is_deleted_or_pruned_when_its_lifetime_is_over(client: LangGraphClient) -> None:
    """Some time after the last that happened to them."""
    expiring = await thread_that_counted(client, ttl={"ttl": 2 * SECOND, "strategy": "delete"})
    shrinking = await thread_that_counted(client, ttl={"ttl": SECOND, "strategy": "keep_latest"})
    lasting = await thread_that_counted(client, ttl=60)
    shown: Any = await client.threads.get(lasting, include=["ttl"])
    assert (shown["ttl"]["strategy"], shown["ttl"]["ttl_minutes"]) == ("delete", 60)
    assert shown["ttl"]["expires_at"] > shown["updated_at"]

    await wait_until(lambda: client.threads.search(ids=[expiring]), lambda seen: not seen)
    with pytest.raises(NotFoundError):
        await client.threads.get_state(expiring)
    await wait_until(lambda: checkpoint_count(client, shrinking), lambda seen: seen == 1)
    state: Any = await client.threads.get_state(shrinking)
    assert state["values"]["n"] == 112
    await client.runs.wait(shrinking, "chain", input={"n": 1})
    await wait_until(lambda: checkpoint_count(client, shrinking), lambda seen: seen == 1)

    await client.threads.update(lasting, metadata={}, ttl={"ttl": SECOND, "strategy": "keep_latest"})
    await wait_until(lambda: checkpoint_count(client, lasting), lambda seen: seen == 1)
    bad: list[Any] = [{"ttl": -1}, {"ttl": "long"}, {"strategy": "burn", "ttl": 1}, {"strategy": "delete"}]
    for wrong in bad:
        with pytest.raises(UnprocessableEntityError):
            await client.threads.create(ttl=wrong)


async def test_a_thread_says_how_much_it_stores(client: LangGraphClient) -> None:
    thread = await thread_that_counted(client)

    async def storage(thread: str) -> Any:
        return await client.http.get(f"/threads/{thread}/storage")

    before = await storage(thread)
    assert before["thread_id"] == thread
    assert before["checkpoints"]["count"] == 5
    assert before["channel_values"]["by_channel"]["log"]["versions"] >= 3
    assert before["total_bytes"] == sum(
        before[part]["bytes"] for part in ("checkpoints", "channel_values", "pending_writes")
    )
    large: Any = {"n": 1, "log": ["x" * 5000]}
    await client.runs.wait(thread, "chain", input=large)
    after = await storage(thread)
    assert after["channel_values"]["by_channel"]["log"]["bytes"] > 5000
    assert after["total_bytes"] > before["total_bytes"] + 5000
    with pytest.raises(NotFoundError):
        await storage(str(uuid.uuid4()))
