"""What handlers answer: headers, partial objects, errors, pages, and what browsers are told."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from runyard.runtime.errors import (
    BadRequest,
    Conflict,
    GraphNotLoaded,
    Invalid,
    LeaseLost,
    NotFound,
    NotSupported,
    Unavailable,
)

from .documents import Document
from .fakes.runtime import FakeRuntime

THREAD_ID = "9531985d-5d9d-49f8-9818-e811892f902b"
THREAD = f"/threads/{THREAD_ID}"
RUN = f"{THREAD}/runs/36f675cc-81e7-4ef5-a8e2-5d940ed90475"
JSON = "application/json"


async def test_creating_a_run_names_it(client: httpx.AsyncClient) -> None:
    response = await client.post("/runs", json={"assistant_id": "a"})
    assert response.headers["content-location"] == f"/runs/{response.json()['run_id']}"
    assert "location" not in response.headers


async def test_a_batch_answers_runs_in_order(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    response = await client.post("/runs/batch", json=[{"assistant_id": "a", "input": n} for n in range(3)])
    assert [run["kwargs"]["input"] for run in response.json()] == [0, 1, 2]
    assert "content-location" not in response.headers


async def test_cancelling(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    response = await client.post(f"{RUN}/cancel")
    assert (response.status_code, response.content) == (202, b"")
    assert "content-type" not in response.headers
    response = await client.post(f"{RUN}/cancel?wait=true")
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers["location"] == f"{RUN}/join"
    assert response.headers["content-location"] == RUN
    response = await client.post("/runs/cancel?action=rollback", json={"status": "all"})
    assert (response.status_code, response.content) == (204, b"")
    assert runtime.runs.calls[-1][2] == "rollback"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"thread_id": THREAD_ID},
        {"status": "all", "thread_id": THREAD_ID, "run_ids": []},
    ],
)
async def test_cancelling_needs_one_form(client: httpx.AsyncClient, body: Any) -> None:
    assert (await client.post("/runs/cancel", json=body)).status_code == 422


async def test_paging(client: httpx.AsyncClient) -> None:
    response = await client.post("/threads/search", json={"offset": 3})
    assert response.headers["x-pagination-total"] == "5"
    assert response.headers["x-pagination-next"] == "4"
    response = await client.post("/assistants/search", json={})
    assert response.headers["x-pagination-total"] == "1"
    assert "x-pagination-next" not in response.headers


async def test_select_answers_only_what_was_asked_for(client: httpx.AsyncClient) -> None:
    response = await client.post("/threads/search", json={"select": ["thread_id", "status"]})
    assert [set(thread) for thread in response.json()] == [{"thread_id", "status"}]
    response = await client.post("/threads/search", json={"select": ["thread_id"], "extract": {"n": "values.n"}})
    assert [set(thread) for thread in response.json()] == [{"thread_id", "extracted"}]
    response = await client.post("/assistants/search", json={"select": ["name"]})
    assert response.json() == [{"name": "chain"}]
    response = await client.post("/threads/search", json={"select": []})
    assert response.json() == [{}]


async def test_a_fresh_thread_has_no_empty_extras(client: httpx.AsyncClient) -> None:
    thread = (await client.get(THREAD)).json()
    assert {"interrupts", "ttl", "extracted"}.isdisjoint(thread)
    assert thread["values"] is None
    assert thread["error"] is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequest("x"), 400),
        (NotFound("x"), 404),
        (Conflict("x"), 409),
        (Invalid("x"), 422),
        (Unavailable("x"), 503),
        (GraphNotLoaded("x"), 503),
        (NotSupported("x"), 501),
    ],
)
async def test_errors_of_the_runtime(
    client: httpx.AsyncClient, runtime: FakeRuntime, error: Exception, status: int
) -> None:
    runtime.threads.error = error
    response = await client.post("/threads", json={})
    assert (response.status_code, response.json()) == (status, {"detail": "x"})


@pytest.mark.parametrize("error", [RuntimeError("secret"), LeaseLost("secret")])
async def test_defects_are_logged_and_not_told(
    client: httpx.AsyncClient, runtime: FakeRuntime, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.threads.error = error
    response = await client.get(THREAD)
    assert (response.status_code, response.json()) == (500, {"detail": "Internal Server Error"})
    assert "secret" in caplog.text
    assert THREAD in caplog.text


async def test_health(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    assert (await client.get("/ok")).json() == {"ok": True, "services": {}}
    assert (await client.get("/ok?check_db=1")).status_code == 200
    runtime.system.database = False
    assert (await client.get("/ok")).status_code == 200
    assert (await client.get("/ok?check_db=1")).status_code == 503
    runtime.system.fault = "there are no workers"
    answer = await client.get("/ok")
    assert (answer.status_code, answer.json()["detail"]) == (503, "there are no workers")


async def test_metrics(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    response = await client.get("/metrics?format=json")
    assert set(response.json()) == {"queue", "runs", "workers", "loops", "api"}


async def test_the_document_is_served(client: httpx.AsyncClient, served: Document) -> None:
    response = await client.get("/openapi.json")
    assert response.headers["content-type"] == JSON
    assert response.json() == served


async def test_the_root_is_health_for_machines_and_a_page_for_people(client: httpx.AsyncClient) -> None:
    for accept in ("*/*", "application/json", ""):
        response = await client.get("/", headers={"accept": accept})
        assert response.json() == {"ok": True, "services": {}}, accept
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = await client.get("/", headers={"accept": browser})
    assert response.headers["content-type"].startswith("text/html")
    assert "Adds &lt;numbers&gt;" in response.text


async def test_the_documentation_needs_no_network(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    links = re.findall(r'<(?:link|script|img)[^>]* (?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 3
    for link in links:
        assert link.startswith("docs/assets/")  # relative, for what a proxy in front may have put before it
        assert (await client.get(page.url.join(link))).status_code == 200
    assert "http:" not in page.text
    assert "https:" not in page.text


async def test_unknown_assets(client: httpx.AsyncClient) -> None:
    for path in ("/docs/assets/nope.js", "/docs/assets/../../../pyproject.toml", "/docs/assets/%2e%2e/__init__.py"):
        response = await client.get(path)
        assert response.status_code == 404
        assert set(response.json()) == {"detail"}


# ---- browsers
