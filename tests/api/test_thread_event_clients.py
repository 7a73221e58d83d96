"""`client.threads.stream(...)` of the stock clients: runs followed and answered with the thread event protocol."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.gate import Gate
from tests.live_server import LiveServer

from .ended_runs import user_message

pytestmark = [pytest.mark.postgres(cluster=True), pytest.mark.parametrize("transport", ["sse", "websocket"])]

Transport = Literal["sse", "websocket"]
WAIT = 60
"""Seconds within which each story has to end."""

FINAL = {"text": "go?", "answer": "yes", "log": ["prepare", "human", "finish"]}


@pytest.fixture
def sync_client(live_server: LiveServer) -> Iterator[SyncLangGraphClient]:
    with get_sync_client(url=live_server.url, api_key=None) as client:
        yield client


async def test_a_question_is_answered_while_values_are_followed(client: LangGraphClient, transport: Transport) -> None:
    async with asyncio.timeout(WAIT), client.threads.stream(assistant_id="interrupting", transport=transport) as thread:
        started = await thread.run.start(input={"text": "go?"}, metadata={"a": 1})
        assert uuid.UUID(started["run_id"])
        # Up to the question, which the client hears of on another stream, so before or after the last of them.
        assert [values async for values in thread.values]
        assert thread.interrupted
        await thread.run.respond("yes")
        assert await thread.output == FINAL
    run: Any = await client.runs.get(thread.thread_id, started["run_id"])
    assert run["metadata"]["a"] == 1


def test_a_question_is_answered_by_the_sync_client(sync_client: SyncLangGraphClient, transport: Transport) -> None:
    with sync_client.threads.stream(assistant_id="interrupting", transport=transport) as thread:
        thread.run.start(input={"text": "go?"})
        assert [*thread.values]
        assert thread.interrupted
        thread.run.respond("yes")
        assert thread.output == FINAL


async def test_messages_come_token_by_token(client: LangGraphClient, transport: Transport) -> None:
    async with asyncio.timeout(WAIT), client.threads.stream(assistant_id="echo", transport=transport) as thread:
        await thread.run.start(input=user_message("hello there"))
        messages = [message async for message in thread.messages]
        (pieces,) = [[piece async for piece in message.text] for message in messages]
        assert len(pieces) > 1
        assert (await thread.output)["messages"][-1]["id"] == messages[0].message_id


def test_messages_come_token_by_token_to_the_sync_client(
    sync_client: SyncLangGraphClient, transport: Transport
) -> None:
    with sync_client.threads.stream(assistant_id="echo", transport=transport) as thread:
        thread.run.start(input=user_message("hello there"))
        messages = [*thread.messages]
        assert ["".join(message.text) for message in messages] != []


async def test_subgraphs_are_found(client: LangGraphClient, transport: Transport) -> None:
    async with asyncio.timeout(WAIT), client.threads.stream(assistant_id="subgraphed", transport=transport) as thread:
        await thread.run.start(input=user_message("hi"))
        assert [found.graph_name async for found in thread.subgraphs] == ["child"]


async def test_a_second_run_of_a_thread_begins_with_its_own_values(
    client: LangGraphClient, transport: Transport
) -> None:
    async with asyncio.timeout(WAIT), client.threads.stream(assistant_id="chain", transport=transport) as thread:
        await thread.run.start(input={"n": 1})
        assert (await thread.output)["n"] == 112
    name = thread.thread_id
    async with asyncio.timeout(WAIT), client.threads.stream(name, assistant_id="chain", transport=transport) as thread:
        assert (await thread.output)["n"] == 112  # of the run that has ended
    async with asyncio.timeout(WAIT), client.threads.stream(name, assistant_id="chain", transport=transport) as thread:
        await thread.run.start(input={"n": 1})
        numbers = [values["n"] async for values in thread.values]
    assert numbers[-1] == 224
    assert 1 not in numbers  # which the first run began with


async def test_a_run_that_fails_raises(client: LangGraphClient, transport: Transport) -> None:
    async with asyncio.timeout(WAIT), client.threads.stream(assistant_id="failing", transport=transport) as thread:
        await thread.run.start(input={})
        with pytest.raises(RuntimeError, match="Run errored"):
            await thread.output


async def test_a_thread_that_is_not_there_yet_can_be_named(client: LangGraphClient, transport: Transport) -> None:
    name = str(uuid.uuid4())
    async with asyncio.timeout(WAIT), client.threads.stream(name, assistant_id="chain", transport=transport) as thread:
        await thread.run.start(input={"n": 1})
        assert (await thread.output)["n"] == 112


async def test_an_assistant_that_there_is_not_is_an_error(client: LangGraphClient, transport: Transport) -> None:
    async with asyncio.timeout(WAIT), client.threads.stream(assistant_id="nope", transport=transport) as thread:
        with pytest.raises(RuntimeError, match="unknown_error"):
            await thread.run.start(input={})


async def test_a_stream_is_taken_up_again_without_gaps_or_repeats(
    client: LangGraphClient, transport: Transport, gate: Gate
) -> None:
    wanted = {"channels": ["values", "custom", "lifecycle"]}
    async with asyncio.timeout(WAIT), client.threads.stream(assistant_id="gated", transport=transport) as thread:
        await thread.run.start(input=gate.input())
        first = await followed(thread, wanted, until=lambda event: event["method"] == "custom")
        gate.open()
        rest = await followed(thread, {**wanted, "since": first[-1]["seq"]}, until=is_end)
        assert [*first, *rest] == await followed(thread, wanted, until=is_end)


async def followed(thread: Any, wanted: dict[str, Any], *, until: Callable[[Any], bool]) -> list[Any]:
    """The events of a stream of its own, up to one."""
    stream = thread._transport.open_event_stream(wanted)
    events = []
    async for event in stream.events:
        if event["type"] == "event":
            events.append(event)
            if until(event):
                break
    await stream.close()
    return events


def is_end(event: Any) -> bool:
    return bool(event["method"] == "lifecycle" and event["params"]["data"]["event"] == "completed")
