"""Every request is authenticated once, before anything else of it is looked at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from langgraph_sdk import Auth
from starlette.requests import Request

from runyard.handlers.contract.document import is_public, load_document
from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.config.project import AuthSection

from .asgi_client import connected, exchange
from .fakes.runtime import FakeRuntime

PUBLIC = {("get", "/"), ("get", "/ok"), ("get", "/info")}
BUILT = {("get", "/ui/{assistant_id}/{build}/{file}")}
"""Files whose addresses are told to those who are let in."""
SIGN_IN = {(method, "/sign-in") for method in ("get", "post", "delete")}
TOKEN = "token-of-ann"
ANN = {"authorization": f"Bearer {TOKEN}"}


async def by_token(authorization: str | None) -> str:
    if authorization != ANN["authorization"]:
        raise Auth.exceptions.HTTPException(401, "No such token", {"WWW-Authenticate": "Bearer"})
    return "ann"


def runtime_with(handler: Callable[..., Any], *, openapi: dict[str, Any] | None = None, **options: Any) -> FakeRuntime:
    auth = Auth()
    auth.authenticate(handler)
    section = AuthSection(path="./auth.py:auth", openapi=openapi or {})
    return FakeRuntime(authenticator=CustomAuthentication(auth, "auth", timeout=10), auth=section, **options)


def operations() -> list[tuple[str, str]]:
    return [
        (method, path)
        for path, item in load_document()["paths"].items()
        for method, operation in item.items()
        if not is_public(operation)
    ]


def test_only_these_operations_are_public() -> None:
    paths = load_document()["paths"]
    public = {(method, path) for path, item in paths.items() for method in item if is_public(item[method])}
    assert public == PUBLIC | SIGN_IN | BUILT


async def test_no_operation_answers_without_credentials_but_the_public_ones() -> None:
    async with connected(runtime_with(by_token)) as client:
        for method, path in operations():
            for wrong in ({}, {"authorization": "Bearer other"}):
                # A body that nothing accepts: who is not let in does not learn of it.
                content = None if method == "get" else b"{"
                answer = await client.request(method.upper(), path, headers=wrong, content=content)
                assert (answer.status_code, answer.json()) == (401, {"detail": "No such token"}), (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"
        for method, path in PUBLIC:
            assert (await client.request(method.upper(), path)).status_code == 200


async def test_who_is_let_in_has_a_scope_of_their_own() -> None:
    runtime = runtime_with(by_token)
    async with connected(runtime) as client:
        assert (await client.post("/threads/search", json={}, headers=ANN)).status_code == 200
        assert (await client.post("/threads/search", json={"limit": "x"}, headers=ANN)).status_code == 422
    scope = runtime.threads.scopes[0]
    assert scope.identity == "ann"
    assert orjson.loads(scope.user or "")["identity"] == "ann"


async def test_the_body_is_received_only_for_handlers_that_ask_for_it() -> None:
    bodies = []

    async def with_body(body: Any) -> str:
        bodies.append(body)
        return "ann"

    limits = {"body_limit": 1024}
    # Without the parameter, what follows of the body is not waited for.
    refused = await exchange(runtime_with(by_token), "POST", "/runs", b'{"assistant', more_follows=True)
    assert refused.status == 401
    runtime = runtime_with(with_body, settings=limits)
    assert (await exchange(runtime, "POST", "/threads", [b'{"meta', b'data": {"a": 1}}'])).status == 200
    assert (await exchange(runtime, "GET", "/threads/00000000-0000-4000-8000-000000000000")).status != 401
    assert (await exchange(runtime, "POST", "/threads", b"{")).status == 422
    assert (await exchange(runtime, "POST", "/threads", b'"%s"' % (b"x" * 2000))).status == 413
    assert bodies == [{"metadata": {"a": 1}}, None]


async def test_a_handler_may_read_the_body_of_the_request_itself() -> None:
    bodies = []

    async def with_request(request: Request) -> str:
        bodies.append(await request.body())
        return request.headers["x-user"]

    async def hiding(request: Request) -> str:
        try:
            await request.body()
        except Exception:  # noqa: BLE001 - as user code may
            raise RuntimeError("hidden") from None
        return "ann"

    runtime = runtime_with(with_request)
    async with connected(runtime) as client:
        answer = await client.post("/threads", json={"metadata": {"a": 1}}, headers={"x-user": "ann"})
        assert answer.status_code == 200
    assert bodies == [b'{"metadata":{"a":1}}']
    large = b'"%s"' % (b"x" * 2000)
    assert (
        await exchange(runtime_with(hiding, settings={"body_limit": 1024}), "POST", "/threads", large)
    ).status == 413


async def test_a_mistake_of_the_handler_is_500_and_logged_without_credentials(caplog: pytest.LogCaptureFixture) -> None:
    table: dict[str, str] = {}

    async def by_table(authorization: str, query_params: dict[str, str]) -> str:
        return table[f"{authorization.removeprefix('Bearer ')}/{query_params['key']}"]

    async with connected(runtime_with(by_table)) as client:
        answer = await client.get("/metrics?key=other-secret", headers=ANN)
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})
    assert "KeyError: '[redacted]/[redacted]'" in caplog.text
    assert TOKEN not in caplog.text
    assert "other-secret" not in caplog.text


async def test_a_denied_request_is_logged_without_credentials(caplog: pytest.LogCaptureFixture) -> None:
    async def telling(authorization: str) -> str:
        raise Auth.exceptions.HTTPException(403, f"{authorization} is not known")

    with caplog.at_level(logging.WARNING):
        async with connected(runtime_with(telling)) as client:
            answer = await client.get("/threads/7/history?key=other", headers=ANN)
    assert answer.json() == {"detail": f"Bearer {TOKEN} is not known"}
    assert "denied: GET /threads/{thread_id}/history from 127.0.0.1: 403 [redacted] is not known" in caplog.text
    assert TOKEN not in caplog.text


async def test_a_request_that_nobody_had_time_for_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    async def slow() -> str:
        await asyncio.Event().wait()
        return "ann"

    auth = Auth()
    auth.authenticate(slow)
    authenticator = CustomAuthentication(auth, "auth", timeout=0.01)
    async with connected(FakeRuntime(authenticator=authenticator)) as client:
        answer = await client.get("/metrics", headers=ANN)
    detail = "authentication took longer than 0.01 s; try again later"
    assert (answer.status_code, answer.json()) == (503, {"detail": detail})
    assert f"denied: GET /metrics from 127.0.0.1: 503 {detail}" in caplog.text


async def test_the_document_says_what_credentials_are_asked_for() -> None:
    schemes = {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
    openapi = {
        "securitySchemes": schemes,
        "security": [{"key": []}],
        "paths": {"/threads": {"post": [{"key": ["create"]}]}},
    }
    async with connected(runtime_with(by_token, openapi=openapi)) as client:
        served = (await client.get("/openapi.json", headers=ANN)).json()
    assert served["components"]["securitySchemes"] == schemes
    assert served["security"] == [{"key": []}]
    assert served["paths"]["/threads"]["post"]["security"] == [{"key": ["create"]}]
    assert "4XX" in served["paths"]["/threads"]["post"]["responses"]
    assert served["paths"]["/ok"]["get"]["security"] == []
    async with connected(runtime_with(by_token)) as client:
        served = (await client.get("/openapi.json", headers=ANN)).json()
    assert served["security"] == [{"authorization": []}]
    async with connected(FakeRuntime()) as client:
        served = (await client.get("/openapi.json")).json()
    assert "securitySchemes" not in served["components"]


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-auth-scheme"])
async def test_credentials_that_come_twice_are_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with connected(runtime_with(by_token)) as client:
        headers = [("authorization", ANN["authorization"]), (name, "one"), (name.title(), "two")]
        response = await client.get("/batches", headers=headers)
    assert (response.status_code, response.json()) == (400, {"detail": f"{name}: this header may be sent once only"})
    assert TOKEN not in caplog.text
