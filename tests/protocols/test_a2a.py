"""Tasks over plain HTTP: questions and answers, contexts, mistakes, and whose they are."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.authorisation.users import User

pytestmark = pytest.mark.postgres(cluster=True)


def ask(user: User, method: str, params: Any, agent: str = "echo", **headers: str) -> Any:
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    answer = user.http.post(f"/a2a/{agent}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        return [json.loads(line[6:])["result"] for line in answer.text.splitlines() if line.startswith("data: ")]
    found = answer.json()
    assert found["id"] == 7
    return found.get("result") or found["error"]


def said(text: str, **more: Any) -> dict[str, Any]:
    return {
        "message": {"role": "user", "parts": [{"kind": "text", "text": text}], "messageId": str(uuid.uuid4()), **more}
    }


def test_a_context_goes_on_with_each_message(ann: User) -> None:
    first = ask(ann, "message/send", said("one"))
    second = ask(ann, "message/send", said("two", contextId=first["contextId"]))
    assert second["contextId"] == first["contextId"]
    assert [each["parts"][0]["text"] for each in second["history"]] == ["one", "echo: one", "two", "echo: two"]
    own = ask(ann, "tasks/get", {"id": first["id"]}, **{"LangGraph-A2A-History-Scope": "task"})
    assert [each["parts"][0]["text"] for each in own["history"]] == ["one", "echo: one"]
    listed = ask(ann, "ListTasks", {"contextId": first["contextId"], "pageSize": 1, "includeArtifacts": True})
    assert [each["id"] for each in listed["tasks"]] == [second["id"]]
    assert listed["tasks"][0]["artifacts"][0]["parts"] == [{"text": "echo: two"}]
    rest = ask(ann, "ListTasks", {"contextId": first["contextId"], "pageToken": listed["nextPageToken"]})
    assert [each["id"] for each in rest["tasks"]] == [first["id"]]
    assert rest["nextPageToken"] == ""


@pytest.mark.parametrize(
    ("method", "waits"), [("message/send", "input-required"), ("SendMessage", "TASK_STATE_INPUT_REQUIRED")]
)
def test_a_question_requires_input_and_the_answer_goes_on_with_the_task(ann: User, method: str, waits: str) -> None:
    task = ask(ann, method, said("weather?"), "asking")
    task = task.get("task", task)
    assert task["status"]["state"] == waits
    assert task["status"]["message"]["parts"][0]["text"] == "Which city?"
    done = ask(ann, method, said("Bergen", taskId=task["id"]), "asking")
    done = done.get("task", done)
    assert done["id"] == task["id"]
    assert done["artifacts"][0]["parts"][0]["text"] == "It rains in Bergen"
    found = ask(ann, "tasks/get", {"id": task["id"]}, "asking")
    assert found["status"]["state"] == "completed"
    listed = ask(ann, "ListTasks", {"contextId": task["contextId"]}, "asking")
    assert [each["id"] for each in listed["tasks"]] == [task["id"]]
    assert ask(ann, method, said("Oslo", taskId=task["id"]), "asking")["code"] == -32004


def test_a_stream_ends_with_the_question(ann: User) -> None:
    *_, last = ask(ann, "message/stream", said("weather?"), "asking")
    assert (last["status"]["state"], last["final"]) == ("input-required", True)
    task_id = last["taskId"]
    streamed = ask(ann, "message/stream", said("Bergen", taskId=task_id), "asking")
    assert {each.get("taskId", each.get("id")) for each in streamed} == {task_id}
    assert streamed[-1]["status"]["state"] == "completed"


def test_a_task_is_accepted_followed_and_told_again(ann: User) -> None:
    begun = ask(ann, "message/send", {**said("one two"), "configuration": {"blocking": False}})
    assert begun["status"]["state"] == "submitted"
    followed = ask(ann, "tasks/resubscribe", {"id": begun["id"]})
    assert followed[-1]["status"]["state"] == "completed"
    assert followed[-2]["artifact"]["parts"][0]["text"] == "echo: one two"
    assert ask(ann, "SubscribeToTask", {"id": begun["id"]})["code"] == -32004


def test_mistakes_have_the_codes_of_the_protocol(ann: User) -> None:
    assert ask(ann, "tasks/dance", {})["code"] == -32601
    assert ask(ann, "message/send", {"message": {"role": "user"}})["code"] == -32602
    assert ask(ann, "message/send", said("hi"), "chain")["code"] == -32602
    assert ask(ann, "message/send", said("hi"), str(uuid.uuid4()))["code"] == -32602
    assert ask(ann, "message/send", said("hi", contextId="mine"))["code"] == -32602
    assert ask(ann, "tasks/get", {"id": "mine"})["code"] == -32001
    assert ask(ann, "message/send", said("hi"), **{"A2A-Version": "7.0"})["code"] == -32009
    assert ask(ann, "CreateTaskPushNotificationConfig", {})["code"] == -32003
    assert ask(ann, "GetExtendedAgentCard", {})["code"] == -32007
    file = {"message": {"role": "user", "parts": [{"kind": "file", "file": {}}], "messageId": "m"}}
    assert ask(ann, "message/send", file)["code"] == -32005
    assert ann.http.post("/a2a/echo", content="{").json()["error"]["code"] == -32700
    assert ann.http.post("/a2a/echo", json={"hello": 1}).json()["error"]["code"] == -32600
    for query in ("", "?assistant_id=nothing"):
        card = ann.http.get(f"/.well-known/agent-card.json{query}")
        assert (card.status_code, card.json()["error"]["code"]) == (400, -32602)


def test_tasks_of_somebody_else_are_not_there(ann: User, bob: User) -> None:
    theirs = ask(bob, "message/send", said("secret"))
    assert ask(ann, "tasks/get", {"id": theirs["id"]})["code"] == -32001
    assert ask(ann, "tasks/cancel", {"id": theirs["id"]})["code"] == -32001
    assert ask(ann, "tasks/resubscribe", {"id": theirs["id"]})["code"] == -32001
    assert ask(ann, "message/send", said("and?", taskId=theirs["id"]))["code"] == -32001
    assert "secret" not in json.dumps(ask(ann, "message/send", said("and?", contextId=theirs["contextId"])))
    assert ask(ann, "ListTasks", {"contextId": theirs["contextId"]})["tasks"] == []
    own = bob.new_assistant(graph_id="echo", name="of bob")
    assert ask(ann, "message/send", said("hi"), own)["code"] == -32602
    assert ann.http.get(f"/.well-known/agent-card.json?assistant_id={own}").status_code == 400
    assert bob.http.get(f"/.well-known/agent-card.json?assistant_id={own}").json()["name"] == "of bob"
