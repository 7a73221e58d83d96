"""All below one path: operations, pages, the project's application."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.handlers.asgi_client import connected
from tests.handlers.fakes.runtime import FakeRuntime

from .apps import ANN, around, with_auth

THREAD = "/threads/923a7369-94e3-4f91-9a61-dbe22e44158b"


def app() -> FastAPI:
    made = FastAPI()

    @made.middleware("http")
    async def stamp(request: Request, call_next: Any) -> Any:
        answer = await call_next(request)
        answer.headers["x-path"] = request.scope["path"]
        return answer

    @made.get("/where")
    async def where(request: Request) -> Any:
        return [request.scope["root_path"], str(request.url_for("where"))]

    @made.get("/info")
    async def info() -> str:
        return "mine"

    return made


@pytest.mark.parametrize("runtime", [FakeRuntime(mount_prefix="/a/v1"), around(FastAPI(), mount_prefix="/a/v1")])
async def test_operations_and_pages_are_below_it(runtime: FakeRuntime) -> None:
    async with connected(runtime) as client:
        assert (await client.get(f"/a/v1{THREAD}")).json()["thread_id"]
        assert (await client.get(f"/a/v1{THREAD}/")).json()["thread_id"]
        assert (await client.get("/a/v1/")).json()["ok"] is True
        assert (await client.get("/a/v1/ok")).json()["ok"] is True
        page = await client.get("/a/v1/", headers={"accept": "text/html"})
        assert "http://127.0.0.1/a/v1/runs/wait" in page.text
        assert 'href="docs"' in page.text
        docs = await client.get("/a/v1/docs")
        assert 'src="docs/assets/swagger-ui-bundle.js"' in docs.text
        assert (await client.get("/a/v1/docs/assets/swagger-ui.css")).status_code == 200
        assert (await client.get("/a/v1/guides/serve")).status_code == 200
        document = (await client.get("/a/v1/openapi.json")).json()
        OpenAPIV31SpecValidator(document).validate()
        assert document["servers"] == [{"url": "/a/v1"}]
        assert (await client.delete("/a/v1/info")).status_code == 405
        assert (await client.get("/a/v1/nowhere")).status_code == 404


@pytest.mark.parametrize("runtime", [FakeRuntime(mount_prefix="/api"), around(app(), mount_prefix="/api")])
async def test_above_it_only_probes_are_answered(runtime: FakeRuntime) -> None:
    async with connected(runtime) as client:
        for path in ("/", "/ok"):
            answer = await client.get(path)
            assert answer.json()["ok"] is True
            assert "x-path" not in answer.headers
        for path in (THREAD, "/docs", "/apis", f"/apis{THREAD}", "/where", "/docs/assets/swagger-ui.css"):
            assert (await client.get(path)).status_code == 404, path
        moved = await client.get("/api?a=1")
        assert (moved.status_code, moved.headers["location"]) == (307, "api/?a=1")


async def test_the_application_is_below_it_as_asgi_says() -> None:
    async with connected(around(app(), mount_prefix="/api")) as client:
        answer = await client.get("/api/where")
        assert answer.json() == ["/api", "http://127.0.0.1/api/where"]
        assert answer.headers["x-path"] == "/api/where"
        assert (await client.get("/api/info")).json() == "mine"
        assert (await client.get(f"/api{THREAD}")).headers["x-path"] == f"/api{THREAD}"


async def test_clients_find_runs_again_that_they_made() -> None:
    async with connected(FakeRuntime(mount_prefix="/api")) as client:
        below = httpx.AsyncClient(transport=client._transport, base_url="http://127.0.0.1/api")
        made = await below.post("/runs", json={"assistant_id": "chain", "input": {}})
        assert made.headers["content-location"].startswith("/runs/")
        streamed = await below.post("/runs/stream", json={"assistant_id": "chain", "input": {}})
        assert (await below.get(streamed.headers["location"])).status_code != 404


async def test_agent_cards_name_the_whole_address() -> None:
    async with connected(FakeRuntime(mount_prefix="/api")) as client:
        card = await client.get("/api/.well-known/agent-card.json?assistant_id=chain")
        assert card.json()["url"].startswith("http://127.0.0.1/api/a2a/")


async def test_handlers_see_the_whole_path_and_signing_in_stays_below_it() -> None:
    asked: list[str] = []
    async with connected(with_auth(app(), asked, mount_prefix="/api")) as client:
        assert (await client.get(f"/api{THREAD}", headers=ANN)).status_code == 200
        assert asked == [f"/api{THREAD}"]
        answer = await client.get("/api/guides/serve", headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "../sign-in?next=guides/serve")
        assert (await client.get("/ok")).status_code == 200
