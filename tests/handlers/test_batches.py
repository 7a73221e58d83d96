"""Batches, as far as requests and answers go."""

from __future__ import annotations

import json
import uuid

import httpx
import pytest

from runyard.runtime.services.batches import BatchOptions
from runyard.runtime.streams.events import Event

from .fakes.runtime import FakeRuntime

Query = dict[str, str | int | list[str]]

ITEM = {"assistant_id": "chain"}
BATCH = f"/batches/{uuid.UUID(int=1)}"


async def test_the_answer_to_a_batch_names_it(client: httpx.AsyncClient) -> None:
    response = await client.post("/runs/batch", json=[ITEM])
    assert uuid.UUID(response.headers["x-batch-id"])
    assert isinstance(response.json(), list)


async def test_headers_say_what_is_asked_for_a_batch(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    await client.post(
        "/runs/batch",
        json=[ITEM],
        headers={
            "X-Batch-Name": "nightly import",
            "X-Batch-Metadata": json.dumps({"customer": "Müller", "n": 1}),
            "X-Batch-Webhook": "https://example.com/done",
            "X-Batch-Max-Concurrency": "4",
            "X-Batch-Start-Within": "60",
            "X-Batch-Finish-Within": "3600.5",
            "X-Batch-Retry": json.dumps({"tries": 3, "errors": ["RateLimitError"]}),
            "X-Batch-Result-TTL": "86400",
        },
    )
    assert runtime.runs.options == BatchOptions(
        name="nightly import",
        metadata={"customer": "Müller", "n": 1},
        webhook="https://example.com/done",
        max_concurrency=4,
        start_within=60.0,
        finish_within=3600.5,
        retry={"tries": 3, "errors": ["RateLimitError"]},
        result_ttl=86400.0,
    )


@pytest.mark.parametrize(
    ("header", "value", "place"),
    [
        ("X-Batch-Name", "x" * 201, "header.X-Batch-Name"),
        ("X-Batch-Name", "\xfc".encode().decode("latin-1"), "header.X-Batch-Name"),
        ("X-Batch-Metadata", "[]", "header.X-Batch-Metadata"),
        ("X-Batch-Metadata", "{", "header.X-Batch-Metadata: invalid JSON"),
        ("X-Batch-Metadata", '{"a": {"b": 1, "b": 2}}', "header.X-Batch-Metadata.a: the key"),
        ("X-Batch-Metadata", '{"a": 99999999999999999999}', "header.X-Batch-Metadata.a: the integer"),
        ("X-Batch-Max-Concurrency", "0", "header.X-Batch-Max-Concurrency"),
        ("X-Batch-Max-Concurrency", "many", "header.X-Batch-Max-Concurrency"),
        ("X-Batch-Start-Within", "nan", "header.X-Batch-Start-Within"),
        ("X-Batch-Finish-Within", "-1", "header.X-Batch-Finish-Within"),
        ("X-Batch-Finish-Within", "inf", "header.X-Batch-Finish-Within"),
        ("X-Batch-Retry", "{}", "header.X-Batch-Retry"),
        ("X-Batch-Retry", '{"tries": 0}', "header.X-Batch-Retry.tries"),
        ("X-Batch-Retry", '{"tries": 2, "attempts": 3}', "header.X-Batch-Retry"),
        ("X-Batch-Result-TTL", "1e99", "header.X-Batch-Result-TTL"),
    ],
)
async def test_a_header_that_says_nothing_possible_is_refused_by_its_place(
    client: httpx.AsyncClient, runtime: FakeRuntime, header: str, value: str, place: str
) -> None:
    response = await client.post("/runs/batch", json=[ITEM], headers=[(header.encode(), value.encode("latin-1"))])
    assert response.status_code == 422
    assert response.json()["detail"].startswith(place)
    assert runtime.runs.created == []


async def test_batches_are_searched_by_status_name_and_metadata(
    client: httpx.AsyncClient, runtime: FakeRuntime
) -> None:
    query: Query = {"status": ["running", "queued"], "name": "night", "metadata": '{"customer": "acme"}', "limit": 5}
    response = await client.get("/batches", params=query)
    assert response.status_code == 200
    assert runtime.batches.calls == [("search", ["running", "queued"], "night", {"customer": "acme"}, 5, 0)]
    assert "link" not in response.headers


@pytest.mark.parametrize(
    "query", [{"status": "done"}, {"metadata": "acme"}, {"metadata": "[1]"}, {"limit": 0}, {"offset": -1}]
)
async def test_what_no_batch_can_be_searched_by_is_refused(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    response = await client.get("/batches", params=query)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(f"query.{next(iter(query))}")


async def test_the_link_to_the_next_page_asks_the_same(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    runtime.batches.next = 5
    query: Query = {"status": ["running", "queued"], "metadata": '{"a": "b c&d"}', "limit": 5}
    response = await client.get("/batches", params=query)
    assert response.headers["x-pagination-next"] == "5"
    target = httpx.Response(200, headers={"link": response.headers["link"]}).links["next"]["url"]
    await client.get(target)
    first, second = runtime.batches.calls
    assert second == (*first[:-1], 5)


async def test_runs_of_a_batch_come_in_pages(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    runtime.batches.next = 10
    response = await client.get(f"{BATCH}/runs", params={"status": "error"})
    assert response.headers["link"] == f'<{BATCH}/runs?status=error&limit=10&offset=10>; rel="next"'
    assert runtime.batches.calls == [("runs", BATCH.removeprefix("/batches/"), ["error"], 10, 0)]


async def test_a_batch_is_streamed_until_its_end(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    body = (await client.get(BATCH)).content
    runtime.batches.script = [[Event("progress", body)], [Event("end", body)]]
    response = await client.get(f"{BATCH}/stream")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [line for line in response.text.splitlines() if line.startswith("event")] == [
        "event: progress",
        "event: end",
    ]


async def test_a_batch_is_cancelled_and_deleted(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    assert (await client.post(f"{BATCH}/cancel")).status_code == 200
    assert (await client.delete(BATCH)).status_code == 204
    batch_id = BATCH.removeprefix("/batches/")
    assert runtime.batches.calls == [("cancel", batch_id), ("delete", batch_id)]
