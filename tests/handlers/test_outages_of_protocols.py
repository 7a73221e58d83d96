"""What cannot be had just now is told by the status of a response, in protocols that have errors of their own, too:
balancers and clients look there whether to try again."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from runyard.runtime.errors import EncryptionFailed, GraphNotLoaded, StorageUnavailable

from .asgi_client import exchange
from .fakes.assistants import FakeAssistants
from .fakes.runtime import FakeRuntime

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "chain", "arguments": {}}}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
PING = {"jsonrpc": "2.0", "id": 3, "method": "ping"}
SAID = {"role": "user", "parts": [{"kind": "text", "text": "hello"}], "messageId": "m1"}
SEND = {"jsonrpc": "2.0", "id": "4", "method": "message/send", "params": {"message": SAID}}


def away() -> StorageUnavailable:
    error = StorageUnavailable("the database cannot be reached")
    error.retry_after = 2
    return error


def break_off(monkeypatch: pytest.MonkeyPatch, operation: str, error: Exception) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(FakeAssistants, operation, fail)


@pytest.mark.parametrize(("path", "message"), [("/mcp/", CALL), ("/mcp/", LIST), ("/a2a/chain", SEND)])
async def test_a_database_that_is_away_is_told_as_everywhere(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str, message: dict[str, Any]
) -> None:
    for operation in ("search", "get", "schemas"):
        break_off(monkeypatch, operation, away())
    answer = await client.post(path, json=message)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json() == {
        "jsonrpc": "2.0",
        "id": message["id"],
        "error": {"code": -32603, "message": "the database cannot be reached"},
    }


async def test_of_several_messages_all_have_to_fail(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    break_off(monkeypatch, "search", away())
    answer = await client.post("/mcp/", json=[CALL, LIST])
    assert (answer.status_code, answer.headers["retry-after"], len(answer.json())) == (503, "2", 2)
    answer = await client.post("/mcp/", json=[CALL, PING])
    assert (answer.status_code, "retry-after" in answer.headers) == (200, False)
    assert [("error" in each, each["id"]) for each in answer.json()] == [(True, 1), (False, 3)]


async def test_tools_are_not_left_out_of_the_list_for_a_database_that_is_away(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_off(monkeypatch, "schemas", GraphNotLoaded("graph chain: its module raises"))
    answer = await client.post("/mcp/", json=LIST)
    assert (answer.status_code, answer.json()["result"]) == (200, {"tools": []})
    break_off(monkeypatch, "schemas", away())
    assert (await client.post("/mcp/", json=LIST)).status_code == 503


async def test_encryption_that_fails_is_no_mistake_of_the_request(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_off(monkeypatch, "get", EncryptionFailed("encryption.json.decrypt failed"))
    answer = await client.post("/a2a/chain", json=SEND)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, -32603)


async def test_a_task_that_was_taken_is_not_asked_for_again(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def schemas(*_: Any) -> bytes:
        return orjson.dumps({"input_schema": {"type": "object", "properties": {"messages": {}}}})

    async def fail(*_: Any, **__: Any) -> Any:
        raise away()

    monkeypatch.setattr(FakeAssistants, "schemas", schemas)
    monkeypatch.setattr(runtime.runs, "get", fail)
    answer = await exchange(runtime, "POST", "/a2a/chain", orjson.dumps(SEND))
    told = orjson.loads(b"".join(answer.parts))
    assert (answer.status, told["id"], told["error"]["code"]) == (200, "4", -32603)
    assert "The task has ended, but cannot be read at the moment" in told["error"]["message"]
