"""What the operations on assistants, threads and thread runs hand on, and what they answer."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from runyard.generated.mappings import ThreadStateBound
from runyard.generated.models import RunCreateStateful, ThreadStateSearch
from runyard.runtime.streams.events import Event

from .asgi_client import exchange
from .fakes.runtime import FakeRuntime

THREAD_ID = "6513270e-269e-4d37-b2a7-4de452e6b438"
THREAD = f"/threads/{THREAD_ID}"
ASSISTANT = "/assistants/d23f0824-128b-4f33-8c5c-7fd0a6a3a450"


async def test_a_run_on_a_thread_names_itself(client: httpx.AsyncClient) -> None:
    run_id = (response := await client.post(f"{THREAD}/runs", json={"assistant_id": "a"})).json()["run_id"]
    assert response.headers["content-location"] == f"{THREAD}/runs/{run_id}"
    assert "location" not in response.headers
    for kind, again in (("wait", "join"), ("stream", "stream")):
        response = await client.post(f"{THREAD}/runs/{kind}", json={"assistant_id": "a"})
        assert response.headers["content-location"].startswith(f"{THREAD}/runs/")
        assert response.headers["location"] == f"{response.headers['content-location']}/{again}"


async def test_a_run_that_is_known_by_its_id_alone(client: httpx.AsyncClient) -> None:
    run = f"/runs/{uuid.uuid4()}"
    assert (await client.get(run)).json()["run_id"] == run.rpartition("/")[2]
    headers = (await client.get(f"{run}/stream")).headers
    assert headers["location"] == f"{run}/stream"
    assert headers["content-location"] == run


async def test_leaving_the_stream_of_a_run_that_is_known_by_its_id_alone(runtime: FakeRuntime) -> None:
    runtime.runs.script = [60.0]
    run_id = str(uuid.uuid4())
    await exchange(runtime, "GET", f"/runs/{run_id}/stream", disconnect_after=0.1)
    assert runtime.runs.abandoned == []
    await exchange(runtime, "GET", f"/runs/{run_id}/stream?cancel_on_disconnect=1", disconnect_after=0.1)
    assert [run.run_id for run in runtime.runs.abandoned] == [run_id]


async def test_leaving_a_thread_cancels_nothing(runtime: FakeRuntime) -> None:
    runtime.runs.script = [[Event("custom", b"{}", "5-1")], 60.0]
    response = await exchange(runtime, "GET", f"{THREAD}/stream", disconnect_after=0.1)
    assert response.parts == [b"event: custom\ndata: {}\nid: 5-1\n\n"]
    assert "location" not in response.headers
    assert runtime.runs.abandoned == []
    assert runtime.runs.followed[0].closed


@pytest.mark.parametrize("kind", ["runs", "runs/wait", "runs/stream"])
async def test_every_field_of_a_run_on_a_thread_arrives(
    client: httpx.AsyncClient, runtime: FakeRuntime, kind: str
) -> None:
    checkpoint = {"checkpoint_id": str(uuid.uuid4()), "checkpoint_ns": "child:x", "checkpoint_map": {"": "y"}}
    fields = {
        "assistant_id": "chain",
        "checkpoint": checkpoint,
        "checkpoint_id": str(uuid.uuid4()),
        "input": [1],
        "command": {"resume": {"a": 1}},
        "metadata": {"k": 1},
        "config": {"tags": ["t"], "more": 1},
        "context": {"c": 1},
        "webhook": "https://example.org/x",
        "interrupt_before": "*",
        "interrupt_after": ["a"],
        "stream_mode": "updates",
        "stream_subgraphs": True,
        "stream_resumable": True,
        "feedback_keys": ["f"],
        "multitask_strategy": "rollback",
        "if_not_exists": "create",
        "after_seconds": 0.5,
        "checkpoint_during": False,
        "durability": "sync",
    }
    response = await client.post(f"{THREAD}/{kind}", json={**fields, "on_completion": "keep", "assistantId": "x"})
    assert response.status_code == 200
    run = runtime.runs.created[-1]
    assert {name: getattr(run, name) for name in fields if name != "command"} == {
        name: value for name, value in fields.items() if name != "command"
    }
    assert run.command is not None
    assert run.command.resume == {"a": 1}


async def test_a_patch_hands_on_only_what_was_given(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    await client.patch(ASSISTANT, json={"name": "n", "context": {}, "zzz": 1})
    assert runtime.assistants.calls[-1] == ("patch", {"name": "n", "context": {}})
    await client.patch(THREAD, json={"metadata": {"a": None}, "status": "idle"})
    assert runtime.threads.calls[-1] == ("patch", {"metadata": {"a": None}})
    await client.patch(THREAD, json={})
    assert runtime.threads.calls[-1] == ("patch", {})


@pytest.mark.parametrize(("path", "body"), [(ASSISTANT, {"metadata": None}), (THREAD, {"ttl": 5}), (THREAD, [])])
async def test_bad_patches(client: httpx.AsyncClient, path: str, body: Any) -> None:
    assert (await client.patch(path, json=body)).status_code == 422


@pytest.mark.parametrize(
    ("prefer", "status"), [("return=minimal", 204), ("respond-async, Return=Minimal", 204), ("return=full", 200)]
)
async def test_a_patch_without_an_answer(client: httpx.AsyncClient, prefer: str, status: int) -> None:
    response = await client.patch(THREAD, json={}, headers={"prefer": prefer})
    assert response.status_code == status
    assert ("preference-applied" in response.headers) == (status == 204)


async def test_the_lifetime_is_answered_where_it_is_asked_for(client: httpx.AsyncClient) -> None:
    assert "ttl" not in (await client.get(THREAD)).json()
    for include in ("ttl", "values,ttl"):
        assert (await client.get(f"{THREAD}?include={include}")).json()["ttl"]["ttl_minutes"] == 5


async def test_deleting(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    for path in (THREAD, f"{THREAD}/runs/{uuid.uuid4()}", ASSISTANT):
        response = await client.delete(path)
        assert (response.status_code, response.content) == (204, b"")
    assert runtime.assistants.calls == [("delete", False)]
    await client.delete(f"{ASSISTANT}?delete_threads=true")
    assert runtime.assistants.calls[-1] == ("delete", True)


@pytest.mark.parametrize("spelt", [THREAD_ID.upper(), THREAD_ID.replace("-", ""), f"urn:uuid:{THREAD_ID}"])
async def test_every_spelling_of_an_id_is_taken_in_bodies(
    client: httpx.AsyncClient, runtime: FakeRuntime, spelt: str
) -> None:
    await client.post("/threads", json={"thread_id": spelt})
    assert runtime.threads.calls[-1][1].thread_id == THREAD_ID
    await client.post("/threads/prune", json={"thread_ids": [spelt]})
    assert runtime.threads.calls[-1][1].thread_ids == [THREAD_ID]
    await client.post("/runs/cancel", json={"thread_id": spelt, "run_ids": [spelt]})
    assert runtime.runs.calls[-1][1].run_ids == [THREAD_ID]
    checkpoint = {"checkpoint_id": spelt, "checkpoint_ns": "A"}
    await client.post(f"{THREAD}/runs", json={"assistant_id": "chain", "checkpoint": checkpoint})
    request = runtime.runs.created[-1]
    assert isinstance(request, RunCreateStateful)
    assert request.checkpoint == {"checkpoint_id": THREAD_ID, "checkpoint_ns": "A"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/threads", {"thread_id": "nope"}),
        ("/threads", {"thread_id": uuid.uuid4().hex + "0"}),
        ("/threads/prune", {"thread_ids": ["nope"]}),
        ("/assistants", {"graph_id": "chain", "assistant_id": "nope"}),
        ("/runs/cancel", {"thread_id": "nope", "run_ids": []}),
        (f"{THREAD}/runs", {"assistant_id": "chain", "checkpoint_id": "nope"}),
        ("/threads", {"ttl": {"ttl": -1}}),
        ("/threads", {"supersteps": [{"updates": [{"values": {}}]}]}),
        (f"{THREAD}/history", {"before": "nope"}),
        (f"{THREAD}/state/checkpoint", {}),
        (f"{ASSISTANT}/latest", {}),
    ],
)
async def test_bad_bodies(client: httpx.AsyncClient, path: str, body: Any) -> None:
    assert (await client.post(path, json=body)).status_code == 422


async def test_versions_have_no_update_time(client: httpx.AsyncClient) -> None:
    versions = (await client.post(f"{ASSISTANT}/versions", json={})).json()
    assert "created_at" in versions[0]
    assert "updated_at" not in versions[0]


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        (["next"], {"next": []}),
        (["values.n"], {"values": {"n": 1}}),
        (["values.n", "values.zzz", "next"], {"values": {"n": 1}, "next": []}),
        (["values.n", "values"], {"values": {"n": 1, "log": ["a"]}}),
        (["values", "values.n"], {"values": {"n": 1, "log": ["a"]}}),
    ],
)
async def test_states_in_part(client: httpx.AsyncClient, select: list[str], expected: dict[str, Any]) -> None:
    checkpoint_id = uuid.uuid4()
    for path in (f"{THREAD}/state", f"{THREAD}/state/{checkpoint_id}"):
        assert (await client.get(path, params={"select": select})).json() == expected
    response = await client.post(f"{THREAD}/state/checkpoint", json={"checkpoint": {}, "select": select})
    assert response.json() == expected
    response = await client.post(f"{THREAD}/history", json={"select": select})
    assert response.json() == [expected]


async def test_unknown_fields_of_states(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{THREAD}/state?select=value.n")
    assert response.status_code == 422
    assert "query.select[0]" in response.json()["detail"]
    assert (await client.post(f"{THREAD}/history", json={"select": ["zzz"]})).status_code == 422


async def test_which_state(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    calls = runtime.thread_states.calls
    checkpoint_id = str(uuid.uuid4())
    await client.get(f"{THREAD}/state/{checkpoint_id}?subgraphs=true")
    assert calls[-1] == ("state", {"checkpoint_id": checkpoint_id}, True)
    checkpoint = {"checkpoint_ns": "child:x", "checkpoint_map": {"": checkpoint_id}}
    await client.post(f"{THREAD}/state/checkpoint", json={"checkpoint": checkpoint})
    assert calls[-1] == ("state", checkpoint, False)


async def test_which_history(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    calls = runtime.thread_states.calls
    checkpoint_id = str(uuid.uuid4())
    await client.get(f"{THREAD}/history?before={checkpoint_id}&limit=5")
    assert calls[-1] == ("history", ThreadStateSearch(before={"checkpoint_id": checkpoint_id}, limit=5))
    before: ThreadStateBound = {"configurable": {"checkpoint_id": checkpoint_id}}
    await client.post(f"{THREAD}/history", json={"before": before})
    assert calls[-1] == ("history", ThreadStateSearch(before=before, limit=1))
    for nothing in ({}, {"configurable": None}):
        response = await client.post(f"{THREAD}/history", json={"before": nothing})
        assert response.status_code == 200


@pytest.mark.parametrize("bound", [5, "x", [], {"checkpoint_id": 5}])
async def test_a_history_is_not_bounded_by_what_is_no_checkpoint(client: httpx.AsyncClient, bound: Any) -> None:
    response = await client.post(f"{THREAD}/history", json={"before": {"configurable": bound}})
    assert response.status_code == 422
    assert response.json()["detail"].startswith("body.before.configurable")
