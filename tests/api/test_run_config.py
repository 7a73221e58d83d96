"""What a graph's code is told about its run, and what a client may say of it."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

FORGED = {
    "langgraph_auth_user": {"identity": "root"},
    "langgraph_auth_user_id": "root",
    "langgraph_auth_permissions": ["all"],
    "langgraph_auth_scheme": "forged",
    "__pregel_forged": True,
    "kept": 1,
}


async def seen(http: httpx.AsyncClient, thread: str | None = None, **body: Any) -> Any:
    """What the graph's node has seen; `headers` may be given."""
    path = "/runs/wait" if thread is None else f"/threads/{thread}/runs/wait"
    headers = body.pop("headers", None)
    answer = await http.post(path, json={"assistant_id": "revealing", "input": {}, **body}, headers=headers)
    return answer.raise_for_status().json()["seen"]


@pytest.mark.parametrize("stateless", [True, False])
async def test_code_may_ask_who_it_is_that_asks(http: httpx.AsyncClient, thread: str, stateless: bool) -> None:
    found = (await seen(http, None if stateless else thread))["configurable"]
    assert found["langgraph_auth_user"] is None
    assert (found["langgraph_auth_user_id"], found["langgraph_auth_permissions"], found["user_id"]) == ("", [], "")
    assert uuid.UUID(found["langgraph_request_id"])


@pytest.mark.parametrize("where", ["config", "context", "assistant's config", "assistant's context"])
@pytest.mark.parametrize("stateless", [True, False])
async def test_a_client_cannot_forge_who_it_is(
    http: httpx.AsyncClient, client: Any, thread: str, where: str, stateless: bool
) -> None:
    body: dict[str, Any] = {"config": {"configurable": FORGED}} if "config" in where else {"context": FORGED}
    if where.startswith("assistant"):
        assistant = await client.assistants.create("revealing", **body)
        body = {"assistant_id": assistant["assistant_id"]}
    found = await seen(http, None if stateless else thread, **body)
    own = found["configurable"]
    assert (own["kept"], own["langgraph_auth_user"], own["langgraph_auth_user_id"]) == (1, None, "")
    assert own["langgraph_auth_permissions"] == []
    assert "langgraph_auth_scheme" not in own
    assert found["private"] == []
    assert found["context"] == {"kept": 1}


async def test_a_client_may_name_a_user_of_its_own(http: httpx.AsyncClient) -> None:
    found = await seen(http, context={"user_id": "u1"})
    assert found["configurable"]["user_id"] == "u1"


async def test_the_requests_id_is_that_of_the_header(http: httpx.AsyncClient, thread: str) -> None:
    for place in (None, thread):
        found = await seen(http, place, headers={"X-Request-ID": "r-1"}, context={"langgraph_request_id": "forged"})
        assert found["configurable"]["langgraph_request_id"] == "r-1"
    batch = [{"assistant_id": "revealing", "input": {}, "on_completion": "keep"}] * 2
    runs = (await http.post("/runs/batch", json=batch, headers={"X-Request-ID": "r" * 500})).raise_for_status().json()
    assert {run["kwargs"]["config"]["configurable"]["langgraph_request_id"] for run in runs} == {"r" * 200}


async def test_metadata_reaches_everything_and_the_nearest_wins(http: httpx.AsyncClient, client: Any) -> None:
    levels = ["assistant", "thread", "config", "run"]
    given = {name: {f"k{place}": name for place in range(index + 1)} for index, name in enumerate(reversed(levels))}
    assistant = (await client.assistants.create("revealing", metadata=given["assistant"]))["assistant_id"]
    thread = (await client.threads.create(metadata=given["thread"]))["thread_id"]
    config = {"metadata": {**given["config"], "run_id": "forged", "graph_id": "forged", "langgraph_step": 9}}
    found = await seen(http, thread, assistant_id=assistant, config=config, metadata=given["run"])
    expected = {"k3": "assistant", "k2": "thread", "k1": "config", "k0": "run", "graph_id": "revealing"}
    (run,) = await client.runs.list(thread)
    expected["run_id"] = run["run_id"]
    state = await client.threads.get_state(thread)
    history = await client.threads.get_history(thread)
    for metadata in (found["metadata"], state["metadata"], history[0]["metadata"]):
        assert {key: metadata[key] for key in expected} == expected
    del expected["run_id"]
    assert {key: run["metadata"][key] for key in expected} == expected
    assert {key: run["kwargs"]["config"]["metadata"][key] for key in expected} == expected


async def test_metadata_of_a_config_is_on_streamed_messages_and_stateless_runs(client: Any) -> None:
    stream = client.runs.stream(
        None,
        "echo",
        input={"messages": [{"role": "user", "content": "hi"}]},
        stream_mode="messages-tuple",
        config={"metadata": {"topic": "t"}},
    )
    parts: list[Any] = [part.data async for part in stream if part.event == "messages"]
    assert parts
    assert {metadata["topic"] for _, metadata in parts} == {"t"}
    run = await client.runs.create(None, "echo", config={"metadata": {"topic": "t"}}, metadata={"own": 1})
    assert (run["metadata"]["topic"], run["metadata"]["own"]) == ("t", 1)


async def test_a_client_cannot_forge_which_run_made_a_checkpoint(
    http: httpx.AsyncClient, client: Any, thread: str
) -> None:
    await seen(http, thread, metadata={"run_id": "forged"})
    (run,) = await client.runs.list(thread)
    assert (await client.threads.get_state(thread))["metadata"]["run_id"] == run["run_id"]


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"callbacks": ["x"]}, 422),
        ({"run_id": "x"}, 422),
        ({"frobnicate": 1}, 422),
        ({"metadata": "x"}, 422),
        ({"max_concurrency": "many"}, 422),
        ({"callbacks": None, "run_id": None, "metadata": None}, 200),
        ({"callbacks": [], "tags": [], "metadata": {}, "max_concurrency": None, "run_name": None}, 200),
        ({"max_concurrency": 2, "run_name": "r", "recursion_limit": 5}, 200),
    ],
)
async def test_keys_of_a_config_have_an_effect_or_are_refused(
    http: httpx.AsyncClient, thread: str, config: Any, status: int
) -> None:
    body = {"assistant_id": "revealing", "input": {}, "config": config}
    answers = [
        await http.post("/runs/wait", json=body),
        await http.post(f"/threads/{thread}/runs/wait", json=body),
        await http.post("/runs/batch", json=[body]),
        await http.post("/assistants", json={"graph_id": "revealing", "config": config}),
    ]
    assert [answer.status_code for answer in answers] == [status] * 4
    if status == 422:
        assert all(next(iter(config)) in answer.json()["detail"] for answer in answers)


@pytest.mark.parametrize(
    "field",
    [
        {"checkpoint": {"checkpoint_id": str(uuid.uuid4())}},
        {"checkpoint_id": str(uuid.uuid4())},
        {"after_seconds": 101 * 366 * 86_400},
    ],
    ids=lambda field: next(iter(field)),
)
async def test_a_stateless_run_refuses_what_it_has_no_use_for(http: httpx.AsyncClient, field: Any) -> None:
    for body in ({"assistant_id": "chain"}, [{"assistant_id": "chain"}]):
        items = body if isinstance(body, list) else [body]
        items[0] |= field
        answer = await http.post("/runs" if body is items[0] else "/runs/batch", json=body)
        assert answer.status_code == 422
        assert next(iter(field)) in answer.json()["detail"]


async def test_a_run_on_a_thread_cannot_delete_it(http: httpx.AsyncClient, thread: str) -> None:
    answer = await http.post(f"/threads/{thread}/runs", json={"assistant_id": "chain", "on_completion": "delete"})
    assert answer.status_code == 422
    assert "on_completion" in answer.json()["detail"]


async def test_where_a_client_traces_to_is_kept_with_the_run(client: Any, thread: str) -> None:
    tracer = {"project_name": "p", "example_id": None}
    run = await client.runs.create(thread, "chain", input={"n": 1}, langsmith_tracing=tracer)
    assert (await client.runs.get(thread, run["run_id"]))["kwargs"]["langsmith_tracer"] == tracer


async def test_what_stock_clients_send_by_default_is_taken(client: Any, thread: str) -> None:
    await client.runs.wait(thread, "chain", input={"n": 1}, on_completion="keep", strict_resume=False)
    await client.runs.wait(None, "chain", input={"n": 1}, if_not_exists="create", langsmith_tracing=None)


@pytest.mark.parametrize("query", [{"namespace": "child"}, {"checkpoint_id": "c6f87718-6d76-407e-881e-d162ae2eb154"}])
async def test_a_run_can_only_be_joined_as_a_whole(
    http: httpx.AsyncClient, client: Any, thread: str, query: Any
) -> None:
    run_id = (await client.runs.create(thread, "chain", input={"n": 1}))["run_id"]
    path = f"/threads/{thread}/runs/{run_id}/join"
    answer = await http.get(path, params=query)
    assert answer.status_code == 422
    assert next(iter(query)) in answer.json()["detail"]
    assert (await http.get(path, params=dict.fromkeys(query, ""))).status_code == 200


async def test_a_run_cannot_be_followed_from_a_checkpoint_on(http: httpx.AsyncClient, client: Any, thread: str) -> None:
    run_id = (await client.runs.create(thread, "chain", input={"n": 1}))["run_id"]
    for path in (f"/threads/{thread}/runs/{run_id}/stream", f"/runs/{run_id}/stream"):
        answer = await http.get(path, params={"checkpoint_id": str(uuid.uuid4())})
        assert answer.status_code == 422
        assert "checkpoint_id" in answer.json()["detail"]


async def test_an_answer_to_a_question_that_nobody_asked_can_be_refused(client: Any, thread: str) -> None:
    await client.runs.wait(thread, "interrupting", input={"text": "x"})
    wrong: Any = {"resume": {uuid.uuid4().hex: "yes"}}
    answer: Any = await client.runs.wait(thread, "interrupting", command=wrong, strict_resume=True, raise_error=False)
    assert answer["__error__"]["error"] == "UnknownInterruptError"
    (question,) = (await client.threads.get_state(thread))["interrupts"]
    right: Any = {"resume": {question["id"]: "yes"}}
    answer = await client.runs.wait(thread, "interrupting", command=right, strict_resume=True)
    assert answer["answer"] == "yes"


async def test_the_server_says_that_it_can_refuse_answers(http: httpx.AsyncClient) -> None:
    assert (await http.get("/info")).json()["flags"]["strict_resume"] is True
