"""What `http.disable_*` takes away is not there, neither in the document nor behind it."""

from __future__ import annotations

import uuid

import pytest

from .asgi_client import connected
from .fakes.runtime import FakeRuntime

THREAD = f"/threads/{uuid.uuid4()}"
RUN = f"{THREAD}/runs/{uuid.uuid4()}"


@pytest.mark.parametrize(
    ("group", "absent", "present"),
    [
        ("assistants", ["/assistants/search"], [THREAD, RUN]),
        ("threads", [THREAD, f"{THREAD}/state", RUN], ["/ok", f"/runs/{uuid.uuid4()}"]),
        ("runs", ["/runs", "/runs/batch", f"/runs/{uuid.uuid4()}", RUN, f"{THREAD}/runs"], [THREAD, f"{THREAD}/state"]),
        ("meta", ["/info", "/metrics", "/docs", "/guides", "/guides/serve", "/openapi.json"], ["/", "/ok", THREAD]),
        ("store", ["/store/items"], ["/info", THREAD, RUN]),
        ("mcp", ["/mcp/"], ["/info"]),
        ("a2a", ["/a2a/x"], ["/info"]),
        ("ui", ["/ui/x"], ["/info"]),
        ("webhooks", [], ["/info", THREAD, RUN]),
    ],
)
async def test_a_group_of_operations_is_not_found(group: str, absent: list[str], present: list[str]) -> None:
    async with connected(FakeRuntime(disabled=frozenset({group}))) as client:
        for path in absent:
            for method in ("GET", "POST", "OPTIONS"):
                assert (await client.request(method, path)).status_code == 404, f"{method} {path}"
        for path in present:
            assert (await client.get(path)).status_code == 200, path


async def test_the_document_lacks_what_is_disabled() -> None:
    async with connected(FakeRuntime(disabled=frozenset({"threads", "runs"}))) as client:
        document = (await client.get("/openapi.json")).json()
    assert not [path for path in document["paths"] if path.startswith(("/threads", "/runs"))]
    assert "/assistants/search" in document["paths"]
    assert {tag["name"] for tag in document["tags"]} == {"Assistants", "System"}


async def test_without_meta_the_server_only_says_that_it_is_there() -> None:
    runtime = FakeRuntime(disabled=frozenset({"meta"}))
    runtime.system.database = False
    async with connected(runtime) as client:
        assert (await client.get("/ok?check_db=1")).json()["ok"] is True
        page = await client.get("/", headers={"accept": "text/html"})
        assert page.json()["ok"] is True
        assert (await client.get("/docs/assets/index.css")).status_code == 404
