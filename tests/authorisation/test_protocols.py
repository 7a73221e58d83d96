"""What protocols of agents and of tools show, and let somebody do, is what the operations of the interface would."""

from __future__ import annotations

import uuid
from typing import Any

from tests.live_server import LiveServer

from .users import User


def call(user: User, path: str, method: str, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = user.post(path, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    return answer


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "parts": [{"kind": "text", "text": text}], "messageId": uuid.uuid4().hex, **more}


def test_tools_are_the_assistants_that_are_ones_own(ann: User, bob: User) -> None:
    name = f"of_bob_{uuid.uuid4().hex}"
    bob.new_assistant(name=name)
    for user, there in ((ann, False), (bob, True)):
        tools = [tool["name"] for tool in call(user, "/mcp/", "tools/list")["result"]["tools"]]
        assert (name in tools) == there
        assert "chain" in tools
    foreign, missing = (call(ann, "/mcp/", "tools/call", name=each, arguments={"n": 1}) for each in (name, "nobody's"))
    assert foreign["error"]["code"] == missing["error"]["code"]
    assert "112" in str(call(bob, "/mcp/", "tools/call", name=name, arguments={"n": 1})["result"])


def test_tasks_of_somebody_else_are_not_there(ann: User, bob: User) -> None:
    assistant = next(
        item["assistant_id"] for item in ann.post("/assistants/search", {"graph_id": "echo"}) if item["name"] == "echo"
    )
    path = f"/a2a/{assistant}"
    task = call(bob, path, "message/send", message=said("a secret"))["result"]
    assert "a secret" in str(task)
    nobodys = f"{uuid.uuid4()}:{uuid.uuid4()}"
    for method in ("tasks/get", "tasks/cancel", "tasks/resubscribe"):
        foreign, missing = (call(ann, path, method, id=each) for each in (task["id"], nobodys))
        assert foreign["error"]["code"] == missing["error"]["code"]
        assert foreign["error"]["message"].replace(task["id"], "") == missing["error"]["message"].replace(nobodys, "")
    refused = call(ann, path, "message/send", message=said("tell me", contextId=task["contextId"]))
    assert "a secret" not in str(refused)
    assert "error" in refused
    assert call(bob, path, "tasks/get", id=task["id"])["result"]["status"]["state"] == "completed"


def test_what_is_forbidden_is_answered_as_in_all_operations(strict: LiveServer) -> None:
    ann = User(strict, {"x-user": "ann"})
    for body in ({"method": "tools/list"}, {"method": "tools/call", "params": {"name": "chain", "arguments": {}}}):
        answer = ann.ask("POST", "/mcp/", {"jsonrpc": "2.0", "id": 1, **body})
        assert (answer.status_code, answer.json()) == (403, {"detail": "Forbidden"})
