"""The application's middleware around our operations, who makes requests, and pages of other origins."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse
from langgraph_sdk import Auth
from starlette.middleware.cors import CORSMiddleware

from runyard.handlers.app import create_app
from runyard.runtime.auth.api_keys import ApiKeys
from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.config.project import AuthSection
from runyard.runtime.streams.events import Event
from tests.handlers.asgi_client import connected, exchange
from tests.handlers.fakes.runtime import FakeRuntime

from .apps import ANN, around, with_auth

THREAD = "/threads/923a7369-94e3-4f91-9a61-dbe22e44158b"
RUN_ID = b"6b0d549b-6f03-475a-9600-a35a099950d8"
FRONT = "https://front.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


def looking(seen: list[Any]) -> FastAPI:
    """An application with a route, whose middleware notes the user before and after each request."""
    app = FastAPI()

    @app.middleware("http")
    async def look(request: Request, call_next: Any) -> Any:
        before = getattr(request.scope.get("user"), "identity", None)
        answer = await call_next(request)
        seen.append((request.url.path, before, getattr(request.scope.get("user"), "identity", None)))
        return answer

    @app.post("/echo")
    async def echo(request: Request) -> Any:
        user = request.scope.get("user")
        scopes = request.auth.scopes if "auth" in request.scope else None
        return {"user": user and user.identity, "scopes": scopes, "body": await request.json()}

    return app


async def test_middleware_adds_a_header_to_every_answer() -> None:
    app = FastAPI()

    @app.middleware("http")
    async def stamp(request: Request, call_next: Any) -> Any:
        answer = await call_next(request)
        answer.headers["x-stamp"] = request.url.path
        return answer

    async with connected(around(app)) as client:
        for path in ("/ok", THREAD, "/guides", "/docs/assets/swagger-ui.css", "/threads/x", "/nowhere"):
            assert (await client.get(path)).headers["x-stamp"] == path


async def test_middleware_refuses_requests_to_our_operations() -> None:
    app = FastAPI()

    @app.middleware("http")
    async def refuse(request: Request, call_next: Any) -> Any:
        if "x-tenant" not in request.headers:
            return JSONResponse({"detail": "Which tenant?"}, 418)
        return await call_next(request)

    async with connected(around(app)) as client:
        answer = await client.get(THREAD)
        assert (answer.status_code, answer.json()) == (418, {"detail": "Which tenant?"})
        assert (await client.get(THREAD, headers={"x-tenant": "a"})).status_code == 200


async def test_a_stream_goes_through_middleware_event_by_event() -> None:
    runtime = around(looking([]))
    runtime.runs.script = [[Event("metadata", b'{"run_id":"%b","attempt":1}' % RUN_ID)], [Event("values", b"{}")]]
    answer = await exchange(runtime, "POST", "/runs/stream", b'{"assistant_id": "chain", "input": {}}')
    assert answer.headers["location"].endswith("/stream")
    assert [part.partition(b"\n")[0] for part in answer.parts if part] == [b"event: metadata", b"event: values"]


# Authentication


@pytest.mark.parametrize("auth_first", [False, True])
async def test_custom_routes_answer_everybody_unless_the_project_says_otherwise(
    auth_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    with caplog.at_level(logging.WARNING):
        runtime = with_auth(looking([]), asked, auth_first=auth_first)
        async with connected(runtime) as client:
            answer = await client.post("/echo", json=[1])
            assert answer.json() == {"user": None, "scopes": None, "body": [1]}
            assert asked == []
            assert (await client.get(THREAD)).status_code == 401
    assert "http.enable_custom_route_auth" in caplog.text
    caplog.clear()
    async with connected(with_auth(looking([]), auth_first=auth_first, authenticates=False)) as client:
        assert (await client.post("/echo", json=[1])).status_code == 200
    assert "http.enable_custom_route_auth" not in caplog.text


@pytest.mark.parametrize("auth_first", [False, True])
async def test_custom_routes_ask_who_it_is_where_the_project_says_so(auth_first: bool) -> None:
    asked: list[str] = []
    runtime = with_auth(looking([]), asked, auth_first=auth_first, authenticates=True)
    async with connected(runtime) as client:
        for path in ("/echo", "/nowhere", THREAD):
            answer = await client.post(path, json=[1])
            assert (answer.status_code, answer.json()) == (401, {"detail": "No such token"}) or path == THREAD
        asked.clear()
        answer = await client.post("/echo", json=[1], headers=ANN)
        assert answer.json() == {"user": "ann", "scopes": ["read"], "body": [1]}
        assert (await client.get(THREAD, headers=ANN)).json()["thread_id"]
        assert asked == ["/echo", THREAD]  # once for each
        assert (await client.get("/ok")).status_code == 200
        assert asked == ["/echo", THREAD]


async def test_the_user_is_known_before_the_middleware_only_with_auth_first() -> None:
    for auth_first, before in ((False, None), (True, "ann")):
        seen: list[Any] = []
        async with connected(with_auth(looking(seen), auth_first=auth_first, authenticates=True)) as client:
            await client.post("/echo", json=1, headers=ANN)
            await client.get(THREAD, headers=ANN)
            await client.get("/ok")
            refused = await client.get(THREAD)
        assert refused.status_code == 401
        expected = [("/echo", before, "ann"), (THREAD, before, "ann"), ("/ok", None, None)]
        assert seen == (expected if auth_first else [*expected, (THREAD, None, None)])


@pytest.mark.parametrize("auth_first", [False, True])
async def test_a_handler_that_looks_at_the_body_leaves_it_to_the_route(auth_first: bool) -> None:
    auth = Auth()

    @auth.authenticate
    async def by_body(body: dict[str, Any]) -> Any:
        return body["who"]

    runtime = around(
        looking([]),
        auth_first=auth_first,
        authenticates=True,
        authenticator=CustomAuthentication(auth, "auth", timeout=10),
        auth=AuthSection(path="./auth.py:auth"),
    )
    async with connected(runtime) as client:
        answer = await client.post("/echo", json={"who": "bob"})
        assert answer.json() == {"user": "bob", "scopes": [], "body": {"who": "bob"}}
        answer = await client.post("/threads", json={"who": "bob", "metadata": {"a": 1}})
        assert answer.status_code == 200


@pytest.mark.parametrize("auth_first", [False, True])
async def test_a_browser_is_sent_to_sign_in(auth_first: bool) -> None:
    runtime = with_auth(FastAPI(docs_url=None), auth_first=auth_first)
    async with connected(runtime) as client:
        answer = await client.get("/guides/serve", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "../sign-in?next=guides/serve")


async def test_whoever_has_an_api_key_has_a_name() -> None:
    app = FastAPI()

    @app.get("/who")
    async def who(request: Request) -> Any:
        return request.user.display_name

    runtime = around(app, authenticates=True, authenticator=ApiKeys(("ann:a-long-s3cret-of-ann",), None))
    async with connected(runtime) as client:
        assert (await client.get("/who")).status_code == 401
        assert (await client.get("/who", headers={"x-api-key": "a-long-s3cret-of-ann"})).json() == "ann"


# Pages of other origins


def with_cors(**options: Any) -> FastAPI:
    app = looking([])
    app.add_middleware(CORSMiddleware, **options)
    return app


async def test_origins_that_the_application_lets_in_may_use_our_operations() -> None:
    app = with_cors(allow_origins=[FRONT], allow_credentials=True, allow_methods=["*"], allow_headers=["*"])
    async with connected(around(app)) as client:
        for method, path in (("GET", THREAD), ("POST", "/echo")):
            answer = await client.request(method, path, json=1, headers={"origin": FRONT})
            assert answer.status_code == 200
            assert answer.headers.get_list("access-control-allow-origin") == [FRONT]
            assert answer.headers["access-control-allow-credentials"] == "true"
        asked = await client.options("/threads", headers={**PREFLIGHT, "origin": FRONT})
        assert asked.headers["access-control-allow-credentials"] == "true"
        assert asked.headers.get_list("access-control-allow-origin") == [FRONT]
        refused = await client.get(THREAD, headers={"origin": "https://elsewhere.example"})
        assert refused.status_code == 403
        # Pages of this machine, as without it.
        answer = await client.get(THREAD, headers={"origin": "http://localhost:3000"})
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"


@pytest.mark.parametrize("auth_first", [False, True])
async def test_a_browser_that_asks_first_need_not_say_who_it_is(auth_first: bool) -> None:
    app = with_cors(allow_origins=[FRONT], allow_methods=["*"], allow_headers=["*"])
    async with connected(with_auth(app, auth_first=auth_first, authenticates=True)) as client:
        for path in ("/echo", THREAD):
            asked = await client.options(path, headers={**PREFLIGHT, "origin": FRONT})
            assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, FRONT)
        assert (await client.post("/echo", json=1, headers={"origin": FRONT})).status_code == 401
    # Nobody answers for such middleware, and the route asks as it does for every method.
    async with connected(with_auth(looking([]), auth_first=auth_first, authenticates=True)) as client:
        assert (await client.options("/echo", headers={**PREFLIGHT, "origin": FRONT})).status_code == 401


@pytest.mark.parametrize(
    "options", [{"allow_origins": ["*"]}, {"allow_origin_regex": r"https://.*\.example"}], ids=["all", "a pattern"]
)
async def test_all_or_by_a_pattern(options: dict[str, Any]) -> None:
    async with connected(around(with_cors(**options))) as client:
        assert (await client.get(THREAD, headers={"origin": FRONT})).status_code == 200
    async with connected(around(CORSMiddleware(FastAPI(), **options))) as client:
        assert (await client.get(THREAD, headers={"origin": FRONT})).status_code == 200


async def test_without_such_middleware_the_projects_policy_holds_and_refuses_for_our_operations_only() -> None:
    async with connected(around(looking([]))) as client:
        assert (await client.get(THREAD, headers={"origin": FRONT})).status_code == 403
        answer = await client.post("/echo", json=1, headers={"origin": FRONT})
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
        asked = await client.options("/echo", headers={**PREFLIGHT, "origin": "http://localhost:3000"})
        assert asked.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert (await client.get("/hello", headers={"host": "evil.example"})).status_code == 403


async def open_socket(runtime: FakeRuntime, headers: dict[str, str]) -> list[str]:
    """What an application sends to a WebSocket that is opened at /ws."""
    sent: list[str] = []
    incoming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(f"{message['type']} {message.get('code', '')}".strip())

    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/ws",
        "raw_path": b"/ws",
        "query_string": b"",
        "root_path": "",
        "scheme": "ws",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await create_app(runtime)(scope, receive, send)
    return sent


@pytest.mark.parametrize("auth_first", [False, True])
async def test_web_sockets_ask_who_it_is_too(auth_first: bool) -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()

    runtime = with_auth(app, auth_first=auth_first, authenticates=True)
    assert await open_socket(runtime, ANN) == ["websocket.accept"]
    assert await open_socket(runtime, {}) == ["websocket.close 1008"]
    assert await open_socket(runtime, {**ANN, "host": "evil.example"}) == ["websocket.close 1008"]
    assert await open_socket(with_auth(app, auth_first=auth_first), {}) == ["websocket.accept"]
