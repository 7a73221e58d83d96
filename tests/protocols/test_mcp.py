"""Tools over plain HTTP: envelopes, revisions, names, mistakes, and whose they are."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.authorisation.users import User

pytestmark = pytest.mark.postgres

SENT = {"accept": "application/json, text/event-stream"}


def send(user: User, message: Any, path: str = "/mcp/", **headers: str) -> httpx.Response:
    return user.http.post(path, json=message, headers={**SENT, **headers})


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def modern(method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    key = "io.modelcontextprotocol"
    meta = {f"{key}/protocolVersion": "2026-07-28", f"{key}/clientCapabilities": {}}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": params.get("name", "")}
    return request(method, _meta=meta, **params), headers


@pytest.mark.parametrize("wanted", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_the_revision_that_a_client_wants_is_spoken(ann: User, wanted: str) -> None:
    result = send(ann, request("initialize", protocolVersion=wanted)).json()["result"]
    assert result["protocolVersion"] == wanted
    assert result["serverInfo"]["name"] == "Runyard"


def test_another_revision_is_offered_or_refused(ann: User) -> None:
    assert (
        send(ann, request("initialize", protocolVersion="1999-01-01")).json()["result"]["protocolVersion"]
        == "2025-11-25"
    )
    refused = send(ann, request("ping"), **{"mcp-protocol-version": "1999-01-01"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32022)
    assert "2026-07-28" in refused.json()["error"]["data"]["supported"]


def test_what_is_no_message_is_refused(ann: User) -> None:
    for answer in (
        ann.http.post("/mcp", content="{", headers=SENT),
        send(ann, {"hello": 1}),
        send(ann, {**request("ping"), "jsonrpc": "1.0"}),
        send(ann, {**request("ping"), "id": None}),
        send(ann, []),
        send(ann, request("ping"), accept="text/html"),
    ):
        assert answer.status_code == 400
        assert isinstance(answer.json()["error"], str)
    for quiet in ({"jsonrpc": "2.0", "method": "notifications/initialized"}, {"jsonrpc": "2.0", "id": 1, "result": {}}):
        answer = send(ann, quiet)
        assert (answer.status_code, answer.content) == (202, b"")
    assert (ann.http.get("/mcp").status_code, ann.http.delete("/mcp").status_code) == (405, 404)


def test_several_messages_are_answered_together_where_the_revision_has_them(ann: User) -> None:
    calls = [{**request("tools/call", name="chain", arguments={"n": n}), "id": n} for n in (1, 2)]
    batch = [*calls, {"jsonrpc": "2.0", "method": "notifications/initialized"}, {**request("dance"), "id": 3}]
    first, second, unknown = send(ann, batch, "/mcp").json()
    assert [each["result"]["structuredContent"]["n"] for each in (first, second)] == [112, 113]
    assert (unknown["id"], unknown["error"]["code"]) == (3, -32601)
    assert send(ann, batch[2:3]).status_code == 202
    assert send(ann, batch, **{"mcp-protocol-version": "2025-06-18"}).status_code == 400


def test_requests_without_a_handshake_say_what_they_speak(ann: User) -> None:
    message, headers = modern("server/discover")
    found = send(ann, message, **headers).json()["result"]
    assert found["resultType"] == "complete"
    assert found["supportedVersions"][-1] == "2026-07-28"
    message, headers = modern("tools/call", name="chain", arguments={"n": 1})
    assert send(ann, message, **headers).json()["result"]["structuredContent"]["n"] == 112
    for wrong in ({"mcp-method": "ping"}, {"mcp-name": "echo"}):
        refused = send(ann, message, **{**headers, **wrong})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32020)
    refused = send(ann, request("tools/list"), **{"mcp-protocol-version": "2026-07-28"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32602)
    message, headers = modern("dance")
    assert send(ann, message, **headers).status_code == 404


def test_mistakes_of_a_call_are_told(ann: User) -> None:
    for params in ({"name": "nothing"}, {}, {"name": "chain", "arguments": [1]}):
        assert send(ann, request("tools/call", **params)).json()["error"]["code"] == -32602
    assert send(ann, request("tools/list", cursor="x")).json()["error"]["code"] == -32602
    asked = send(ann, request("tools/call", name="asking", arguments={"messages": "hi"})).json()["result"]
    assert asked["isError"]
    assert asked["structuredContent"]["__interrupt__"][0]["value"] == "Which city?"


def test_assistants_are_tools_of_those_who_may_see_them_each_with_a_name_of_its_own(ann: User, bob: User) -> None:
    for name in ("my tool", "my tool", "wét"):
        ann.new_assistant(name=name)
    tools = send(ann, request("tools/list")).json()["result"]["tools"]
    mine = [tool["name"] for tool in tools if tool["title"] == "my tool"]
    assert mine[0] == "my_tool"
    assert mine[1].startswith("my_tool_")
    assert "w_t" in {tool["name"] for tool in tools}
    for name in mine:
        assert "result" in send(ann, request("tools/call", name=name, arguments={})).json()
    theirs = send(bob, request("tools/list")).json()["result"]["tools"]
    assert "chain" in {tool["name"] for tool in theirs}
    assert not {"my tool", "wét"} & {tool["title"] for tool in theirs}
    assert send(bob, request("tools/call", name="my_tool", arguments={})).json()["error"]["code"] == -32602


def test_a_call_leaves_nothing_behind(ann: User) -> None:
    before = ann.post("/threads/count")
    send(ann, request("tools/call", name="chain", arguments={"n": 1}))
    assert ann.post("/threads/count") == before
