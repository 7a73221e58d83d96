"""Two servers on one database whose data are encrypted: what they tell each other by the database is no secret."""

from __future__ import annotations

import asyncio
import uuid
from binascii import a2b_base64
from hashlib import blake2b
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.live_server import LiveServer
from tests.storage.postgres_server import address

from .run_streams import collect, data_of, event_names
from .vault import SECRET, VAULT, client_of, tenant

pytestmark = pytest.mark.full

WAIT = 60


async def test_a_stream_comes_whole_and_its_events_are_not_in_notifications(tmp_path: Path) -> None:
    schema = f"t{uuid.uuid4().hex}"
    env = {"RUNYARD_DATABASE": address(), "RUNYARD_DATABASE_SCHEMA": schema}
    config = VAULT / "langgraph.json"
    api = LiveServer(tmp_path / "api", config=config, args=("--role", "api"), env=env)
    worker = LiveServer(tmp_path / "worker", config=config, args=("--workers", "1"), env=env)
    try:
        api.start()
        worker.start().await_workers(1)
        async with (
            client_of(api, **tenant("acme")) as client,
            await psycopg.AsyncConnection.connect(address(), autocommit=True) as listening,
        ):
            await listening.execute(f'listen "runyard_{blake2b(schema.encode(), digest_size=8).hexdigest()}"')
            stream = client.runs.stream(None, "keeper", input={"secret": f"{SECRET}input"}, stream_mode="values")
            parts = await asyncio.wait_for(collect(stream), WAIT)
            answer: Any = await client.runs.wait(None, "keeper", input={"secret": f"{SECRET}input"})
            told = [a2b_base64(notify.payload) async for notify in listening.notifies(timeout=0.5)]
    finally:
        for server in (api, worker):
            server.close()
        with psycopg.connect(address(), autocommit=True) as connection:
            connection.execute(f"drop schema if exists {schema} cascade")
    assert "error" not in event_names(parts)
    values: Any = data_of(parts, "values")[-1]
    assert values["log"] == answer["log"] == [f"{SECRET}input" * 20, f"{SECRET}input"]
    assert any(b"Ended" in packet for packet in told)
    assert SECRET.encode() not in b"".join(told)
