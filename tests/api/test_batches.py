"""Batches as a whole, with the stock client and plain HTTP beside it."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.gate import Gate
from tests.webhook_listener import WebhookListener

from .batches import batch_payload
from .waiting import wait_until

pytestmark = pytest.mark.postgres(cluster=True)


async def submit(
    client: LangGraphClient, graph: str, inputs: list[Any], *, headers: dict[str, str] | None = None, **options: Any
) -> tuple[str, list[dict[str, Any]]]:
    """The batch's id, and its runs."""
    runs: Any = await client.runs.create_batch(batch_payload(graph, inputs, **options), headers=headers)
    (batch_id,) = {run["batch_id"] for run in runs}
    return batch_id, runs


async def get(http: httpx.AsyncClient, batch_id: str) -> dict[str, Any]:
    batch: dict[str, Any] = (await http.get(f"/batches/{batch_id}")).raise_for_status().json()
    return batch


async def ended(http: httpx.AsyncClient, batch_id: str) -> dict[str, Any]:
    """The batch, once it has ended."""

    return await wait_until(lambda: get(http, batch_id), lambda batch: batch["ended_at"] is not None)


def counted(batch: dict[str, Any]) -> dict[str, int]:
    return {status: count for status, count in batch["counts"].items() if count}


async def events(http: httpx.AsyncClient, batch_id: str) -> AsyncIterator[tuple[str, Any]]:
    async with http.stream("GET", f"/batches/{batch_id}/stream") as response:
        name = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


async def test_a_batch_is_followed_from_its_acceptance_to_its_end(
    client: LangGraphClient, http: httpx.AsyncClient, gate: Gate
) -> None:
    headers = {
        "X-Batch-Name": "nightly",
        "X-Batch-Metadata": '{"customer": "acme"}',
        "X-Batch-Retry": '{"tries": 2}',
    }
    batch_id, runs = await submit(
        client, "gated", [gate.input(str(n)) for n in range(3)], headers=headers, metadata={"line": 1}
    )
    assert all(run["metadata"].get("customer") is None for run in runs)
    shown = []
    async for name, batch in events(http, batch_id):
        shown.append((name, batch))
        if batch["counts"]["running"] == 3:
            gate.open()
    assert [name for name, _ in shown] == [*["progress"] * (len(shown) - 1), "end"]
    last = shown[-1][1]
    assert (last["status"], counted(last), last["progress"]) == ("completed", {"success": 3}, 1.0)
    assert (last["name"], last["metadata"]) == ("nightly", {"customer": "acme"})
    assert (last["retry"]["tries"], last["retry"]["errors"]) == (2, None)
    assert last["durations"]["p50"] > 0
    assert last == await get(http, batch_id)


async def test_the_answer_names_the_batch_to_browsers_too(http: httpx.AsyncClient) -> None:
    response = await http.post(
        "/runs/batch", json=batch_payload("chain", [{"n": 1}]), headers={"Origin": "http://localhost:3000"}
    )
    (run,) = response.json()
    assert response.headers["x-batch-id"] == run["batch_id"]
    assert "X-Batch-Id" in response.headers["access-control-expose-headers"]


async def test_only_a_batch_makes_a_batch(client: LangGraphClient) -> None:
    run: Any = await client.runs.create(None, "chain", input={"n": 1})
    assert run["batch_id"] is None


async def test_each_item_has_its_own_status(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    payload: list[Any] = [*batch_payload("chain", [{"n": 1}] * 2), *batch_payload("failing", [{}])]
    runs: Any = await client.runs.create_batch(payload)
    batch_id = runs[0]["batch_id"]
    batch = await ended(http, batch_id)
    assert (batch["status"], counted(batch)) == ("completed", {"success": 2, "error": 1})
    page = await http.get(f"/batches/{batch_id}/runs", params={"limit": 2})
    rest = await http.get(page.links["next"]["url"])
    assert [run["run_id"] for run in page.json() + rest.json()] == [run["run_id"] for run in runs]
    assert "next" not in rest.links
    failed = await http.get(f"/batches/{batch_id}/runs", params={"status": ["error", "timeout"]})
    assert [run["run_id"] for run in failed.json()] == [runs[2]["run_id"]]


async def test_batches_are_found_by_what_was_said_of_them(
    client: LangGraphClient, http: httpx.AsyncClient, tag: str
) -> None:
    made = []
    for n in range(3):
        headers = {"X-Batch-Name": f"Job {tag} {n}", "X-Batch-Metadata": json.dumps({"tag": tag, "n": n})}
        batch_id, _ = await submit(client, "chain", [{"n": 1}], headers=headers)
        made.append(batch_id)
        await ended(http, batch_id)

    async def found(**query: Any) -> list[str]:
        response = (await http.get("/batches", params=query)).raise_for_status()
        return [batch["batch_id"] for batch in response.json()]

    assert await found(name=f"job {tag}") == made[::-1]
    assert await found(metadata=json.dumps({"tag": tag}), status="completed") == made[::-1]
    assert await found(metadata=json.dumps({"tag": tag, "n": 1})) == made[1:2]
    assert await found(name=tag, status=["queued", "running"]) == []
    page = await http.get("/batches", params={"name": tag, "limit": 2})
    assert [batch["batch_id"] for batch in (await http.get(page.links["next"]["url"])).json()] == made[:1]


async def test_no_more_runs_execute_at_once_than_the_batch_may(
    client: LangGraphClient, http: httpx.AsyncClient, gate: Gate
) -> None:
    headers = {"X-Batch-Max-Concurrency": "2"}
    batch_id, _ = await submit(client, "gated", [gate.input() for _ in range(5)], headers=headers)
    other, _ = await submit(client, "chain", [{"n": 1}])
    await ended(http, other)  # whoever claims has had its chance
    await wait_until(lambda: get(http, batch_id), lambda batch: counted(batch) == {"running": 2, "pending": 3})
    gate.open()
    assert counted(await ended(http, batch_id)) == {"success": 5}


async def test_a_cancelled_batch_has_ended_when_the_answer_comes(
    client: LangGraphClient, http: httpx.AsyncClient, gate: Gate
) -> None:
    batch_id, runs = await submit(
        client,
        "gated",
        [gate.input() for _ in range(120)],
        headers={"X-Batch-Max-Concurrency": "3"},
        on_completion="keep",
    )

    async def log() -> Any:
        values: Any = (await client.threads.get_state(runs[0]["thread_id"]))["values"]
        return values.get("log")

    await wait_until(log, lambda found: found == ["x in"])
    batch = (await http.post(f"/batches/{batch_id}/cancel")).raise_for_status().json()
    assert (batch["status"], counted(batch)) == ("cancelled", {"interrupted": 120})
    state: Any = await client.threads.get_state(runs[0]["thread_id"])
    assert state["values"]["log"] == ["x in"]
    again = (await http.post(f"/batches/{batch_id}/cancel")).json()
    assert again["cancelled_at"] == batch["cancelled_at"]


@pytest.mark.parametrize(("limit", "late"), [("X-Batch-Finish-Within", 0), ("X-Batch-Start-Within", 2)])
async def test_what_is_not_in_time_ends_in_timeout(
    client: LangGraphClient, http: httpx.AsyncClient, gate: Gate, limit: str, late: int
) -> None:
    headers = {limit: "0.3", "X-Batch-Max-Concurrency": "1"}
    batch_id, runs = await submit(client, "gated", [gate.input() for _ in range(3)], headers=headers)
    run = runs[late]
    answer: Any = (await http.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")).json()
    assert answer["__error__"]["error"] == "TimeoutError"
    assert limit in answer["__error__"]["message"]
    gate.open()
    counts = counted(await ended(http, batch_id))
    assert counts == {"timeout": 3} or (late and counts == {"timeout": 2, "success": 1}), "the first may have begun"


async def test_the_end_of_a_batch_is_called(
    client: LangGraphClient, http: httpx.AsyncClient, listener: WebhookListener
) -> None:
    batch_id, _ = await submit(client, "chain", [{"n": 1}] * 3, headers={"X-Batch-Webhook": listener.url})
    told = await listener.receive()
    assert told.pop("webhook_sent_at")
    assert told == await get(http, batch_id)
    assert (told["status"], told["counts"]["success"]) == ("completed", 3)


async def test_a_webhook_that_may_not_be_called_is_refused(http: httpx.AsyncClient) -> None:
    headers = {"X-Batch-Webhook": "ftp://example.org/done"}
    response = await http.post("/runs/batch", json=batch_payload("chain", [{}]), headers=headers)
    assert response.status_code == 422
    assert response.json()["detail"].startswith("header.X-Batch-Webhook: the scheme")


async def test_a_batch_is_deleted_once_it_has_ended(
    client: LangGraphClient, http: httpx.AsyncClient, gate: Gate
) -> None:
    batch_id, (kept,) = await submit(client, "gated", [gate.input()], on_completion="keep")
    refused = await http.delete(f"/batches/{batch_id}")
    assert refused.status_code == 409
    assert f"/batches/{batch_id}/cancel" in refused.json()["detail"]
    gate.open()
    await ended(http, batch_id)
    assert (await http.delete(f"/batches/{batch_id}")).status_code == 204
    for path in ("", "/runs", "/stream"):
        assert (await http.get(f"/batches/{batch_id}{path}")).status_code == 404
    assert (await http.post(f"/batches/{batch_id}/cancel")).status_code == 404
    assert (await client.threads.get(kept["thread_id"]))["status"] == "idle"


@pytest.mark.parametrize("path", ["", "/runs", "/stream"])
async def test_a_batch_that_is_not_there_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    batch_id = str(uuid.uuid4())
    response = await http.get(f"/batches/{batch_id}{path}")
    assert (response.status_code, response.json()) == (404, {"detail": f"Batch with ID {batch_id} not found"})


async def test_the_stream_of_a_deleted_batch_ends(client: LangGraphClient, http: httpx.AsyncClient, gate: Gate) -> None:
    batch_id, _ = await submit(client, "gated", [gate.input()])
    shown = []
    async for name, batch in events(http, batch_id):
        shown.append((name, batch and batch["status"]))
        if len(shown) == 1:
            await http.post(f"/batches/{batch_id}/cancel")
            await http.delete(f"/batches/{batch_id}")
    assert shown[-1][0] == "end"
    assert shown[-1][1] in (None, "cancelled")
