"""Paths, methods and ids."""

from __future__ import annotations

import re
import uuid

import httpx
import pytest

from .documents import Document, Operation
from .fakes.runtime import FakeRuntime

RUN = "/threads/92276658-1e27-41c0-8a6a-63ec24ede6a4/runs/ae97ba94-d0ed-482f-8f6d-05584ef8aa38"
SPELLINGS = ("{}", "{hex}", "urn:uuid:{}", "uuid:{hex}", "{{{}}}", "{{{hex}}}")
"""In which Python's `UUID` takes an id."""
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize(
    "path", ["/no/such/path", "/no/such/", "/threads//", "/threads//runs", "/runs/batch/x", "/docs/x"]
)
async def test_unknown_paths(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.json() == {"detail": "Not Found"}


async def test_wrong_methods_name_all_right_ones(client: httpx.AsyncClient, served: Document) -> None:
    for template, item in served["paths"].items():
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


async def test_allowed_methods_are_allowed(client: httpx.AsyncClient, served: Document) -> None:
    """What Allow lists is not answered with 405."""
    for path, item in served["paths"].items():
        target = path.replace("{thread_id}", str(uuid.uuid4())).replace("{run_id}", str(uuid.uuid4()))
        target = target.replace("{assistant_id}", str(uuid.uuid4()))
        listed = (await client.request("OPTIONS", target)).headers["allow"].split(", ")
        refusing = {method.upper() for method, definition in item.items() if "405" in definition["responses"]}
        for method in {*listed} - refusing:
            assert (await client.request(method, target)).status_code != 405, f"{method} {path}"


async def test_head(client: httpx.AsyncClient, served: Document, operations: list[Operation]) -> None:
    response = await client.head("/ok")
    assert response.status_code == 200
    assert (await client.head(f"{RUN}/join")).status_code == 405, "it might wait for the run"
    with_head = {path for path, _, definition in operations if definition.get("x-head")}
    files = {"/ui/{assistant_id}/{build}/{file}"}
    assert with_head == files | {path for path, _, definition in operations if definition["tags"] == ["System"]}
    for path, method, _ in operations:
        if path not in served["paths"]:
            continue
        allowed = (await client.options(re.sub(r"{\w+}", str(uuid.uuid4()), path))).headers["allow"].split(", ")
        if method == "get":
            assert ("HEAD" in allowed) == (path in with_head), path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/threads/nope", "thread"),
        ("/threads/nope/state", "thread"),
        ("/assistants/chain", "assistant"),
        ("/threads/2b1e1885-283b-43a6-ac2e-a417b99de255/runs/nope", "run"),
        ("/threads/21e6a46f1c674ea98d243a163cee5e2c0", "thread"),
        (f"/threads/{'_' * 32}", "thread"),
        ("/threads/fdb119a9-ec80-4bdf-9f29-65b3819ad93b%0A", "thread"),
    ],
)
async def test_ids_are_uuids(client: httpx.AsyncClient, path: str, kind: str) -> None:
    response = await client.get(path)
    assert response.status_code == 422
    assert response.json() == {"detail": f"Invalid {kind} ID: must be a UUID"}


@pytest.mark.parametrize("spell", SPELLINGS)
async def test_every_spelling_of_an_id_is_the_same_id(client: httpx.AsyncClient, spell: str) -> None:
    thread_id = uuid.uuid4()
    spelt = spell.format(thread_id, hex=thread_id.hex)
    for text in (spelt, spelt.upper()):
        assert (await client.get(f"/threads/{text}")).json()["thread_id"] == str(thread_id)


@pytest.mark.parametrize(
    "path", ["/ok/", "/info/", "/guides/", "/guides/serve/", "/threads/b03da701-c632-476a-9036-3c5f972651da/", "/docs/"]
)
async def test_a_slash_at_the_end_changes_nothing(client: httpx.AsyncClient, path: str) -> None:
    with_slash, without = await client.get(path), await client.get(path[:-1])
    assert (with_slash.status_code, with_slash.content) == (200, without.content)


async def test_posts_find_their_operation_with_a_slash_too(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    assert (await client.post("/threads/", json={})).status_code == 200
    assert (await client.post("/runs/batch/", json=[{"assistant_id": "chain"}])).status_code == 200
    assert (await client.get("/threads/")).status_code == 405
    assert runtime.metrics.requests[-1] == ("GET", "/threads", 405)


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
