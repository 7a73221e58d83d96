"""Two servers on one database behind which no notification arrives, as behind a pooler: they ask it instead."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from psycopg.conninfo import make_conninfo

from tests.gate import Gate
from tests.live_server import LiveServer
from tests.storage.postgres_server import address

from .run_streams import collect, data_of, event_names, read_until

pytestmark = pytest.mark.full

WAIT = 60


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[LiveServer]]:
    """One without workers, and one that has one. Their `pg_notify` is not that of the database."""
    schema, quiet = f"t{uuid.uuid4().hex}", f"q{uuid.uuid4().hex}"
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"create schema {quiet}")
        connection.execute(
            f"create function {quiet}.pg_notify(text, text) returns void language sql volatile as 'select'"
        )
    url = make_conninfo(address(), options=f"-csearch_path={quiet},pg_catalog")
    env = {"RUNYARD_DATABASE": url, "RUNYARD_DATABASE_SCHEMA": schema}
    folder = tmp_path_factory.mktemp("servers")
    started = [
        LiveServer(folder / "api", args=("--role", "api"), env=env),
        LiveServer(folder / "worker", args=("--workers", "1"), env=env),
    ]
    try:
        for server in started:
            server.start()
        started[-1].await_workers(1)
        yield started
    finally:
        for server in started:
            server.close()
        with psycopg.connect(address(), autocommit=True) as connection:
            connection.execute(f"drop schema if exists {schema}, {quiet} cascade")


@pytest.fixture
def client(servers: list[LiveServer]) -> LangGraphClient:
    return get_client(url=servers[0].url, api_key=None)


async def test_what_is_stored_is_found(servers: list[LiveServer], client: LangGraphClient, gate: Gate) -> None:
    assert "as behind a pooler" in servers[0].log.read_text()
    thread = (await client.threads.create())["thread_id"]
    stream = client.runs.stream(
        thread, "gated", input=gate.input(), stream_mode=["updates", "custom"], stream_resumable=True
    )
    begun = await asyncio.wait_for(read_until(stream, "custom"), WAIT)
    gate.open()
    parts = begun + await asyncio.wait_for(collect(stream), WAIT)
    assert event_names(parts) == ["metadata", "updates", "custom", "updates"]


async def test_what_is_not_stored_is_missing_and_said_to_be(client: LangGraphClient) -> None:
    parts = await asyncio.wait_for(collect(client.runs.stream(None, "chain", input={})), WAIT)
    assert [error["error"] for error in data_of(parts, "error")] == ["StreamCut"]


async def test_a_cancelled_run_is_stopped(client: LangGraphClient, gate: Gate) -> None:
    thread = (await client.threads.create())["thread_id"]
    stream = client.runs.stream(thread, "gated", input=gate.input(), stream_mode="custom", stream_resumable=True)
    await asyncio.wait_for(read_until(stream, "custom"), WAIT)
    (run,) = await client.runs.list(thread)
    await asyncio.wait_for(client.runs.cancel(thread, run["run_id"], wait=True), WAIT)
    assert (await client.runs.get(thread, run["run_id"]))["status"] == "interrupted"
    await asyncio.wait_for(collect(stream), WAIT)
