"""Calls of tools whose client leaves before their end, and lists of tools whose graphs take their time."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from runyard.handlers.protocols.mcp import tools

from .asgi_client import exchange
from .fakes.assistants import FakeAssistants
from .fakes.runs import FakeResultWaiter
from .fakes.runtime import FakeRuntime

KEY = "io.modelcontextprotocol"
META = {f"{KEY}/protocolVersion": "2026-07-28", f"{KEY}/clientCapabilities": {}}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "chain", "_meta": META}}
MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "chain"}


@pytest.mark.parametrize(("headers", "cancelled"), [(MODERN, 1), ({}, 0)], ids=["2026-07-28", "before"])
async def test_leaving_cancels_a_call_in_the_revision_that_says_so(headers: dict[str, str], cancelled: int) -> None:
    runtime = FakeRuntime()
    runtime.runs.delay = 60
    await exchange(runtime, "POST", "/mcp", orjson.dumps(CALL), headers=headers, disconnect_after=0.1)
    assert len(runtime.runs.abandoned) == cancelled
    assert all(each.closed for each in runtime.runs.followed)


async def test_calls_that_were_begun_are_left_when_a_later_message_fails() -> None:
    runtime = FakeRuntime()
    wait = runtime.runs.wait
    calls = 0

    async def fail_later(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError
        return await wait(*args, **options)  # type: ignore[arg-type]

    runtime.runs.wait = fail_later  # type: ignore[method-assign, assignment]
    response = await exchange(runtime, "POST", "/mcp", orjson.dumps([CALL, {**CALL, "id": 2}]))
    assert response.status == 500
    assert [each.closed for each in runtime.runs.followed if isinstance(each, FakeResultWaiter)] == [True]


class Loading(FakeAssistants):
    """Whose graphs are not loaded yet; they are for whoever waits long enough."""

    def __init__(self) -> None:
        super().__init__()
        self._loaded = asyncio.Event()

    async def ready_to_look(self) -> None:
        await asyncio.sleep(0.1)  # longer than a graph has to say what it takes
        self._loaded.set()

    async def schemas(self, *asked: Any) -> bytes:
        await self._loaded.wait()
        return await super().schemas(*asked)


async def test_tools_are_listed_however_long_their_graphs_take_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime()
    runtime.assistants = Loading()
    monkeypatch.setattr(tools, "LONGEST_LOOK", 0.02)
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
    response = await exchange(runtime, "POST", "/mcp", orjson.dumps(listing), headers=headers)
    assert orjson.loads(b"".join(response.parts))["result"]["tools"]
