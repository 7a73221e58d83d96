"""The HTML that puts a component of the project into a page, and the files that it loads."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from .asgi_client import connected
from .fakes.runtime import FakeRuntime
from .fakes.ui import BUILD

BASE = f"/ui/chain/{BUILD.digest}"
TAGS = (
    f'<link rel="stylesheet" href="{BASE}/entrypoint.css" />\n'
    f'<script src="{BASE}/entrypoint.js" onload=\'__LGUI_chain.render(&quot;weather&quot;,'
    " &quot;{{shadowRootId}}&quot;)'></script>"
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with connected(FakeRuntime()) as client:
        yield client


async def component(client: httpx.AsyncClient, name: str = "weather", of: str = "chain", **headers: str) -> str:
    answer = await client.post(f"/ui/{of}", json={"name": name}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


async def test_the_tags_that_load_a_component(client: httpx.AsyncClient) -> None:
    assert await component(client) == TAGS


async def test_an_assistant_has_the_components_of_its_graph(client: httpx.AsyncClient) -> None:
    assert await component(client, of=str(uuid.uuid4())) == TAGS


@pytest.mark.parametrize(
    ("origin", "host", "address"),
    [
        ("http://127.0.0.1", "127.0.0.1", ""),
        ("http://localhost:5173", "localhost:8123", "http://localhost:8123"),
        ("http://localhost:5173", "agents.example.com", "//agents.example.com"),
    ],
)
async def test_pages_of_other_origins_find_the_server(
    client: httpx.AsyncClient, origin: str, host: str, address: str
) -> None:
    async with connected(FakeRuntime(settings={"allowed_hosts": ("*",)})) as client:
        tags = await component(client, origin=origin, host=host)
    assert f'src="{address}{BASE}/entrypoint.js"' in tags
    assert f'href="{address}{BASE}/entrypoint.css"' in tags


async def test_the_files_lie_below_the_prefix_of_the_server() -> None:
    async with connected(FakeRuntime(mount_prefix="/api")) as client:
        answer = await client.post("/api/ui/chain", json={"name": "weather"})
        assert f'src="/api{BASE}/entrypoint.js"' in answer.text
        assert (await client.get(f"/api{BASE}/entrypoint.js")).status_code == 200


async def test_a_name_stays_a_name(client: httpx.AsyncClient) -> None:
    tags = await component(client, "a'\"</script><script>\\")
    assert tags.count("<script") == 1
    assert "&#x27;" in tags


@pytest.mark.parametrize("name", ["nothing", "chain2", str(uuid.UUID(int=0))])
async def test_what_has_no_components(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post(f"/ui/{name}", json={"name": "weather"})
    assert answer.status_code == 404
    assert answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"name": 1}, {"name": ""}, []])
async def test_a_component_has_a_name(client: httpx.AsyncClient, body: object) -> None:
    assert (await client.post("/ui/chain", json=body)).status_code == 422


@pytest.mark.parametrize(
    ("file", "content_type"),
    [
        ("entrypoint.js", "text/javascript; charset=utf-8"),
        ("entrypoint.css", "text/css; charset=utf-8"),
        ("picture.svg", "application/octet-stream"),
    ],
)
async def test_a_file_can_be_nothing_but_what_it_is(client: httpx.AsyncClient, file: str, content_type: str) -> None:
    answer = await client.get(f"{BASE}/{file}")
    assert (answer.status_code, answer.content) == (200, BUILD.files[file])
    assert answer.headers["content-type"] == content_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "immutable" in answer.headers["cache-control"]
    head = await client.head(f"{BASE}/{file}")
    assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/nothing.js",
        "/ui/chain/0000/entrypoint.js",
        f"/ui/other/{BUILD.digest}/entrypoint.js",
        f"{BASE}/..%2F..%2Flanggraph.json",
        f"{BASE}/%2Fetc%2Fpasswd",
        "/ui/chain/entrypoint.js",
    ],
)
async def test_nothing_else_is_handed_out(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404
