"""The thread event protocol over HTTP, in front of a made up runtime: what is no command, and what events look like."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx

from runyard.generated.models import RunCreateStateful
from runyard.runtime.services.thread_events import EventFilter

from .fakes.runtime import FakeRuntime
from .fakes.thread_events import make_event

THREAD = f"/threads/{uuid.uuid4()}"


async def send(client: httpx.AsyncClient, command: Any, **headers: str) -> httpx.Response:
    return await client.post(f"{THREAD}/commands", json=command, headers=headers)


def start(**params: Any) -> dict[str, Any]:
    return {"id": 1, "method": "run.start", "params": {"assistant_id": "chain", **params}}


NO_COMMANDS: list[tuple[str, Any]] = [
    ("", None),
    ("junk", None),
    ("[]", None),
    ("3", None),
    ('{"method": "run.start"}', None),
    ('{"id": "x", "method": "run.start"}', "x"),
    ('{"id": 1.5, "method": "run.start"}', 1.5),
    ('{"id": true, "method": "run.start"}', True),
    ('{"id": -1, "method": "run.start"}', -1),
    ('{"id": 1, "method": 3}', 1),
    ('{"id": 1, "method": "state.get", "params": []}', 1),
    ('{"id": 1, "id": 2, "method": "state.get"}', None),
    ('{"id": {"a": 1}, "method": "state.get"}', None),
    ('{"id": 1, "method": "state.get", "params": {"x": "\\u0000"}}', None),
]
"""And what is answered as their id."""

NOT_CARRIED_OUT: list[tuple[str, dict[str, Any], str]] = [
    ("bogus", {}, "unknown_command"),
    ("run.start", {}, "invalid_argument"),
    ("run.start", {"assistant_id": 3}, "invalid_argument"),
    ("run.start", {"assistant_id": "chain", "webhook": 3}, "invalid_argument"),
    ("run.start", {"assistant_id": "chain", "stream_mode": "values"}, "invalid_argument"),
    ("run.start", {"assistant_id": "chain", "on_disconnect": "cancel"}, "not_supported"),
    ("input.respond", {}, "invalid_argument"),
    ("input.respond", {"responses": []}, "invalid_argument"),
    ("input.inject", {"message": {"role": "ai", "content": "x"}}, "invalid_argument"),
    ("input.inject", {"namespace": ["child:1"], "message": {"role": "user", "content": "x"}}, "not_supported"),
    ("state.fork", {}, "invalid_argument"),
    ("state.listCheckpoints", {"limit": 0}, "invalid_argument"),
    ("subscription.subscribe", {"channels": ["values"]}, "not_supported"),
    ("subscription.unsubscribe", {"subscription_id": "x"}, "not_supported"),
    ("subscription.reconnect", {"run_id": "x"}, "not_supported"),
]
"""Commands, and the code of the error that each is answered with."""

NOT_FOLLOWED: list[Any] = [
    {},
    [],
    {"channels": []},
    {"channels": "values"},
    {"channels": ["bogus"]},
    {"channels": ["debug"]},
    {"channels": ["custom:"]},
    {"channels": [3]},
    {"channels": ["values"], "since": -1},
    {"channels": ["values"], "since": "x"},
    {"channels": ["values"], "depth": -1},
    {"channels": ["values"], "namespaces": "x"},
    {"channels": ["values"], "namespaces": [["a"], 3]},
]


async def test_what_is_no_command_is_refused_with_its_id(client: httpx.AsyncClient) -> None:
    for body, command_id in NO_COMMANDS:
        answer = await client.post(f"{THREAD}/commands", content=body)
        assert answer.status_code == 400, body
        told = answer.json()
        assert (told["type"], told["id"], told["error"]) == ("error", command_id, "invalid_argument"), body
        assert told["message"], body


async def test_a_command_that_fails_says_why(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    for method, params, code in NOT_CARRIED_OUT:
        answer = await send(client, {"id": 7, "method": method, "params": params})
        assert answer.status_code == 200, (method, params)
        assert (answer.json()["id"], answer.json()["error"]) == (7, code), (method, params)
    assert runtime.runs.created == []


async def test_a_run_gets_what_the_command_says_of_it(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    options = {
        "input": {"n": 1},
        "metadata": {"a": 1},
        "config": {"tags": ["x"], "configurable": {"checkpoint_id": str(uuid.UUID(int=1))}},
        "langsmith_tracer": {"project_name": "p"},
        "multitask_strategy": "reject",
        "interrupt_before": ["b"],
        "durability": "exit",
    }
    answer = await send(client, start(**options), **{"x-request-id": "r1"})
    assert answer.json()["type"] == "success"
    (request,) = runtime.runs.created
    assert isinstance(request, RunCreateStateful)
    assert {name: getattr(request, name) for name in options} == options
    assert request.checkpoint == {"checkpoint_id": str(uuid.UUID(int=1))}
    assert request.if_not_exists == "create"
    assert runtime.runs.request_ids == ["r1"]


async def test_an_answer_tells_how_far_the_thread_was_before(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    runtime.thread_events.tell(make_event(4, "values", {}))
    assert (await send(client, start())).json()["meta"] == {"applied_through_seq": 4}


async def test_a_thread_that_there_is_not_is_not_found(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    runtime.thread_events.missing = THREAD.rpartition("/")[2]
    for method in ("state.get", "state.listCheckpoints", "agent.getTree"):
        assert (await send(client, {"id": 1, "method": method})).status_code == 404, method
    answer = await client.post(f"{THREAD}/stream/events", json={"channels": ["values"]})
    assert answer.status_code == 404
    assert (await send(client, start())).json()["type"] == "success"  # which makes it


async def test_what_cannot_be_followed_is_refused(client: httpx.AsyncClient) -> None:
    for body in NOT_FOLLOWED:
        answer = await client.post(f"{THREAD}/stream/events", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["detail"], body


async def test_events_are_sent_with_their_numbers(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    runtime.thread_events.tell(make_event(100, "values", {"n": 1}), make_event(201, "input.requested", _QUESTION))
    answer = await client.post(f"{THREAD}/stream/events", json={"channels": ["values", "input"]})
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = [dict(line.split(": ", 1) for line in each.split("\n")) for each in answer.text.strip().split("\n\n")]
    assert [(each["event"], each["id"]) for each in frames] == [("values", "100"), ("input.requested", "201")]
    assert json.loads(frames[0]["data"])["params"]["data"] == {"n": 1}
    assert runtime.thread_events.subscriptions[0].closed


_QUESTION = {"interrupt_id": "1", "payload": "really?"}


async def test_a_stream_begins_where_it_is_asked_to(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    asked: list[tuple[int | None, str | None, int | None]] = [
        *((None, None, None), (None, "-1", None), (None, "300", 300), (5, "300", 5), (0, None, 0))
    ]
    for since, last_event_id, _ in asked:
        headers = {} if last_event_id is None else {"last-event-id": last_event_id}
        body = {"channels": ["values"]} if since is None else {"channels": ["values"], "since": since}
        await client.post(f"{THREAD}/stream/events", json=body, headers=headers)
    assert runtime.thread_events.since == [begin for _, _, begin in asked]


async def test_an_id_that_no_event_has_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        f"{THREAD}/stream/events", json={"channels": ["values"]}, headers={"last-event-id": "12-x"}
    )
    assert answer.status_code == 400


async def test_a_filter_is_what_was_asked_for(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    body = {"channels": ["values", "custom:a"], "namespaces": [["child"], []], "depth": 1}
    await client.post(f"{THREAD}/stream/events", json=body)
    wanted = EventFilter(frozenset(("values", "custom:a")), (("child",), ()), 1)
    assert runtime.thread_events.subscriptions[0].filters == [wanted]
