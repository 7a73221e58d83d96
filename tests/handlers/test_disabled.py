"""What `http.disable_*` takes away is not there, neither in the document nor behind it."""

from __future__ import annotations

import pytest

from .asgi_client import connected
from .fakes.runtime import FakeRuntime

THREAD = "/threads/923a7369-94e3-4f91-9a61-dbe22e44158b"
STATELESS_RUN = "/runs/558298e2-14b0-44d7-9acd-8acde5f6db1d"
RUN = f"{THREAD}/runs/18f135d2-5f55-4203-b018-50c5a38fd547"


@pytest.mark.parametrize(
    ("group", "absent", "present"),
    [
        ("assistants", ["/assistants/search"], [THREAD, RUN]),
        ("threads", [THREAD, f"{THREAD}/state", RUN], ["/ok", STATELESS_RUN]),
        (
            "runs",
            ["/runs", "/runs/batch", STATELESS_RUN, RUN, f"{THREAD}/runs"],
            [THREAD, f"{THREAD}/state"],
        ),
        ("meta", ["/info", "/metrics", "/docs", "/guides", "/guides/serve", "/openapi.json"], ["/", "/ok", THREAD]),
        ("store", ["/store/items"], ["/info", THREAD, RUN]),
        ("mcp", ["/mcp/"], ["/info"]),
        ("a2a", ["/a2a/x"], ["/info"]),
        ("ui", ["/ui/x", "/ui/chain/a1b2/entrypoint.js"], ["/info"]),
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
    async with connected(FakeRuntime(disabled=frozenset({"threads", "runs", "store"}))) as client:
        document = (await client.get("/openapi.json")).json()
    assert not [path for path in document["paths"] if path.startswith(("/threads", "/runs", "/store"))]
    assert "/assistants/search" in document["paths"]
    assert {tag["name"] for tag in document["tags"]} == {"A2A", "Assistants", "MCP", "System", "UI"}


async def test_without_meta_the_server_only_says_that_it_is_there() -> None:
    runtime = FakeRuntime(disabled=frozenset({"meta"}))
    runtime.system.database = False
    async with connected(runtime) as client:
        assert (await client.get("/ok?check_db=1")).json()["ok"] is True
        page = await client.get("/", headers={"accept": "text/html"})
        assert page.json()["ok"] is True
        assert (await client.get("/docs/assets/index.css")).status_code == 404
