"""Paths, methods and ids."""

from __future__ import annotations

import uuid

import httpx
import pytest

from .documents import Document
from .fakes.runtime import FakeRuntime

RUN = f"/threads/{uuid.uuid4()}/runs/{uuid.uuid4()}"
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("path", ["/no/such/path", "/ok/", "/threads/", "/threads//runs", "/runs/batch/x", "/docs/x"])
async def test_unknown_paths(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.json() == {"detail": "Not Found"}


async def test_wrong_methods_name_all_right_ones(client: httpx.AsyncClient, document: Document) -> None:
    for template, item in document["paths"].items():
        path = template.replace("{", "").replace("}", "")
        right = {method.upper() for method in item}
        for method in METHODS - right:
            response = await client.request(method, path)
            assert response.status_code == 405, f"{method} {template}"
            assert response.json() == {"detail": "Method Not Allowed"}
            allowed = set(response.headers["allow"].split(", "))
            assert allowed - {"HEAD", "OPTIONS"} == right, f"{method} {template}"


async def test_a_literal_path_is_never_taken_for_an_id(client: httpx.AsyncClient) -> None:
    """GET /threads/search is not the thread with the id "search"."""
    for path in ("/threads/search", "/threads/count", "/assistants/search"):
        response = await client.get(path)
        assert response.status_code == 405
        assert response.headers["allow"] == "OPTIONS, POST"


async def test_allowed_methods_are_allowed(client: httpx.AsyncClient, document: Document) -> None:
    """What Allow lists is not answered with 405."""
    for path in document["paths"]:
        target = path.replace("{thread_id}", str(uuid.uuid4())).replace("{run_id}", str(uuid.uuid4()))
        target = target.replace("{assistant_id}", str(uuid.uuid4()))
        listed = (await client.request("OPTIONS", target)).headers["allow"].split(", ")
        for method in listed:
            assert (await client.request(method, target)).status_code != 405, f"{method} {path}"


async def test_head(client: httpx.AsyncClient) -> None:
    response = await client.head("/ok")
    assert response.status_code == 200
    assert (await client.head(f"{RUN}/join")).status_code == 405, "it might wait for the run"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/threads/nope", "thread"),
        ("/threads/nope/state", "thread"),
        ("/assistants/chain", "assistant"),
        (f"/threads/{uuid.uuid4()}/runs/nope", "run"),
        (f"/threads/{uuid.uuid4().hex}", "thread"),
        (f"/threads/urn:uuid:{uuid.uuid4()}", "thread"),
        (f"/threads/{{{uuid.uuid4()}}}", "thread"),
        (f"/threads/{uuid.uuid4()}%0A", "thread"),
    ],
)
async def test_ids_are_hyphenated_uuids(client: httpx.AsyncClient, path: str, kind: str) -> None:
    response = await client.get(path)
    assert response.status_code == 422
    assert response.json() == {"detail": f"Invalid {kind} ID: must be a UUID"}


async def test_ids_in_capitals_are_the_same_ids(client: httpx.AsyncClient) -> None:
    thread_id = str(uuid.uuid4())
    response = await client.get(f"/threads/{thread_id.upper()}")
    assert response.json()["thread_id"] == thread_id


async def test_requests_are_counted_by_template(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    await client.get(RUN)
    await client.get("/threads/nope")
    await client.get("/made/up")
    await client.request("BREW", "/ok")
    assert runtime.metrics.requests == [
        ("GET", "/threads/{thread_id}/runs/{run_id}", 200),
        ("GET", "/threads/{thread_id}", 422),
        ("GET", "other", 404),
        ("other", "/ok", 405),
    ]
