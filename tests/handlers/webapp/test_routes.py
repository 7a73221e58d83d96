"""Which requests the project's application answers, and which the server, as on the official server."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from tests.handlers.asgi_client import connected

from .apps import Served, around

THREAD = "/threads/923a7369-94e3-4f91-9a61-dbe22e44158b"


async def mine(request: Request) -> JSONResponse:
    return JSONResponse({"mine": request.url.path})


def starlette(*paths: str, methods: list[str] | None = None) -> Starlette:
    return Starlette(routes=[Route(path, mine, methods=methods) for path in paths])


async def test_routes_of_the_application_are_served_beside_ours() -> None:
    async with connected(around(starlette("/hello"))) as client:
        assert (await client.get("/hello")).json() == {"mine": "/hello"}
        assert (await client.get(THREAD)).json()["thread_id"]
        assert (await client.get("/info")).json()["version"]


async def test_the_application_takes_what_it_has_a_route_for() -> None:
    paths = ("/info", "/threads/mine", "/threads/{thread_id}/state", "/")
    async with connected(around(starlette(*paths))) as client:
        for path in ("/info", "/threads/mine", f"{THREAD}/state", "/"):
            assert (await client.get(path)).json() == {"mine": path}
        assert (await client.get(THREAD)).json()["thread_id"]


async def test_only_the_methods_of_its_route_are_its_own() -> None:
    async with connected(around(starlette("/threads/search", methods=["GET"]))) as client:
        assert (await client.get("/threads/search")).json() == {"mine": "/threads/search"}
        assert (await client.post("/threads/search", json={})).headers["x-pagination-total"]


async def test_what_watches_the_server_finds_it_there() -> None:
    fixed = ("/ok", "/metrics", "/docs", "/openapi.json")
    async with connected(around(starlette(*fixed))) as client:
        for path in fixed:
            assert "mine" not in (await client.get(path)).text[:20]
    async with connected(around(starlette(*fixed), disabled=frozenset({"meta"}))) as client:
        assert (await client.get("/ok")).json()["ok"] is True
        for path in fixed[1:]:
            assert (await client.get(path)).json() == {"mine": path}


@pytest.fixture
def front_end(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<h1>Front end</h1>")
    (tmp_path / "app.js").write_text("let page;")
    return tmp_path


def mounted(folder: Path) -> Any:
    return Starlette(routes=[Mount("/", StaticFiles(directory=folder, html=True))])


def fallback(folder: Path) -> Any:
    app = FastAPI()

    @app.get("/{path:path}")
    async def page(path: str) -> PlainTextResponse:
        file = folder / path
        return PlainTextResponse((file if file.is_file() else folder / "index.html").read_text())

    return app


def included(folder: Path) -> Any:
    app = FastAPI()
    app.include_router(fallback(folder).router)
    return app


def front_ends(folder: Path) -> Any:
    app = FastAPI()
    app.frontend("/", directory=folder)
    return app


MAKERS = [mounted, fallback, included, *([front_ends] if hasattr(FastAPI, "frontend") else [])]


@pytest.mark.parametrize("make", MAKERS)
async def test_a_front_end_at_the_root_leaves_the_interface_where_it_is(front_end: Path, make: Any) -> None:
    async with connected(around(make(front_end))) as client:
        assert (await client.get("/")).text == "<h1>Front end</h1>"
        assert (await client.get("/app.js")).text == "let page;"
        assert (await client.get(THREAD)).json()["thread_id"]
        assert (await client.get("/info")).json()["version"]
        assert (await client.post("/threads/search", json={})).status_code == 200


async def test_what_nobody_has_is_the_applications_404() -> None:
    app = FastAPI()

    @app.exception_handler(404)
    async def lost(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("lost", 404)

    async with connected(around(app)) as client:
        assert (await client.get("/nowhere")).text == "lost"
        # Ours are ours.
        assert (await client.get("/threads/x")).json()["detail"].startswith("Invalid thread ID")


async def test_a_method_that_nobody_has_is_told_with_those_there_are() -> None:
    async with connected(around(starlette("/hello", methods=["GET"]))) as client:
        assert (await client.post("/hello")).status_code == 405
        answer = await client.put("/threads/search")
        assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")


async def test_routes_that_are_added_later_are_found() -> None:
    app = starlette("/hello")
    async with connected(around(app)) as client:
        assert (await client.get("/info")).json()["version"]
        app.router.routes.append(Route("/info", mine))
        assert (await client.get("/info")).json() == {"mine": "/info"}


async def test_urls_of_its_routes_are_made_by_their_names() -> None:
    app = FastAPI()

    @app.get("/there")
    async def there(request: Request) -> str:
        return str(request.url_for("there"))

    async with connected(around(app)) as client:
        assert (await client.get("/there")).json() == "http://127.0.0.1/there"


async def test_the_lifespans_state_reaches_requests() -> None:
    app = FastAPI()

    @app.get("/state")
    async def state(request: Request) -> Any:
        request.state.pool = "changed"
        return request.app.title

    @app.get("/pool")
    async def pool(request: Request) -> Any:
        return request.state.pool

    async with connected(around(Served(app, pool="open"))) as client:
        assert (await client.get("/state")).json() == "FastAPI"
        assert (await client.get("/pool")).json() == "open"


async def bare(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/broken":
        raise ZeroDivisionError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"bare"})


async def test_any_asgi_application_lies_beside_ours() -> None:
    async with connected(around(bare)) as client:
        assert (await client.get("/hello")).text == "bare"
        assert (await client.get(THREAD)).json()["thread_id"]
        assert (await client.get("/")).json()["ok"] is True
        assert (await client.get("/broken")).status_code == 500


async def test_middleware_that_was_put_around_it_is_around_ours_too() -> None:
    app = GZipMiddleware(starlette("/hello"), minimum_size=1)
    async with connected(around(app)) as client:
        for path in ("/hello", THREAD):
            answer = await client.get(path, headers={"accept-encoding": "gzip"})
            assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")


async def test_it_becomes_another_one() -> None:
    served = Served(starlette("/before"))
    async with connected(around(served)) as client:
        assert (await client.get("/before")).status_code == 200
        served.asgi = starlette("/after")
        assert (await client.get("/before")).status_code == 404
        assert (await client.get("/after")).status_code == 200
        assert (await client.get(THREAD)).json()["thread_id"]


# Errors


async def test_its_errors_are_its_own(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Exception):
        pass

    app = FastAPI()

    @app.get("/http")
    async def http() -> None:
        raise HTTPException(409, {"reason": "taken"}, {"x-reason": "taken"})

    @app.get("/odd")
    async def odd() -> None:
        raise Odd

    @app.exception_handler(Odd)
    async def on_odd(request: Request, error: Odd) -> PlainTextResponse:
        return PlainTextResponse("odd", 418)

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("of the application")

    @app.get("/leaving")
    def leaving() -> None:
        raise SystemExit(3)

    async with connected(around(app)) as client:
        taken = await client.get("/http")
        assert (taken.status_code, taken.json(), taken.headers["x-reason"]) == (
            409,
            {"detail": {"reason": "taken"}},
            "taken",
        )
        answer = await client.get("/odd")
        assert (answer.status_code, answer.text) == (418, "odd")
        assert caplog.text == ""
        with caplog.at_level(logging.ERROR):
            answer = await client.get("/broken")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert answer.headers["content-type"].startswith("text/plain")
        assert "http.app (./app.py:app): GET /broken failed" in caplog.text
        assert "ZeroDivisionError: of the application" in caplog.text
        assert (await client.get("/leaving")).status_code == 500
        assert (await client.get(THREAD)).status_code == 200


async def test_errors_of_ours_pass_through_its_middleware_as_answers(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    seen: list[int] = []

    @app.middleware("http")
    async def look(request: Request, call_next: Any) -> Any:
        answer = await call_next(request)
        seen.append(answer.status_code)
        return answer

    @app.exception_handler(Exception)
    async def on_any(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("theirs", 500)

    runtime = around(app)
    async with connected(runtime) as client:
        assert (await client.get("/threads/x")).status_code == 422
        assert (await client.delete("/info")).status_code == 405

        def fail() -> None:
            raise ZeroDivisionError("of ours")

        runtime.system.check_health = fail  # type: ignore[method-assign]
        answer = await client.get("/ok")
        assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})
    assert seen == [422, 405, 500]
    assert "GET /ok failed" in caplog.text
    assert "http.app" not in caplog.text
