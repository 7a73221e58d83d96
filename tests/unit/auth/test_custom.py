"""Authentication by the handler of a project's own `Auth` object."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langgraph_sdk import Auth
from starlette.exceptions import HTTPException
from starlette.requests import Request

from runyard.runtime.auth.custom import PARAMETERS, CustomAuthentication, HandlerFailed
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.requests import IncomingRequest
from runyard.runtime.errors import ConfigError, Unavailable

SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/threads/7/runs",
    "path_params": {"thread_id": "7"},
    "query_string": b"a=1&b=%C3%A4",
    "headers": [(b"authorization", b"Bearer secret"), (b"x-team", b"lakes")],
}


def authentication(handler: Callable[..., Any], *, timeout: float = 10.0) -> CustomAuthentication:
    auth = Auth()
    auth.authenticate(handler)
    return CustomAuthentication(auth, "langgraph.json: auth (auth.py:auth)", timeout=timeout)


async def asked(handler: Callable[..., Any], *, timeout: float = 10.0) -> Principal:
    async def read_json() -> Any:
        return {"input": 1}

    scope = {**SCOPE}
    return await authentication(handler, timeout=timeout).authenticate(
        IncomingRequest(scope, read_json, lambda: Request(scope))
    )


async def test_a_handler_gets_what_its_parameters_name() -> None:
    seen: dict[str, Any] = {}

    async def handler(
        request: Request,
        body: dict[str, Any],
        path: str,
        method: str,
        path_params: dict[str, str],
        query_params: dict[str, str],
        headers: dict[bytes, bytes],
        authorization: str | None,
        scope: dict[str, Any],
        verbose: bool = False,
        **more: Any,
    ) -> str:
        seen.update(locals())
        return "ann"

    assert (await asked(handler)).identity == "ann"
    assert {*PARAMETERS} <= seen.keys()
    assert seen["request"].headers["x-team"] == "lakes"
    assert seen["headers"][b"x-team"] == b"lakes"
    assert seen["headers"].get("X-Team") == "lakes"
    assert ("x-absent" in seen["headers"], seen["headers"].get("x-absent")) == (False, None)
    assert (seen["path"], seen["method"], seen["path_params"]) == ("/threads/7/runs", "POST", {"thread_id": "7"})
    assert (seen["query_params"], seen["authorization"]) == ({"a": "1", "b": "ä"}, "Bearer secret")
    assert (seen["body"], seen["scope"]["type"]) == ({"input": 1}, "http")
    assert (seen["verbose"], seen["more"]) == (False, {})


async def test_a_handler_without_parameters_is_asked_too() -> None:
    def handler() -> dict[str, Any]:
        return {"identity": "ann", "permissions": ["read"], "team": "lakes"}

    principal = await asked(handler)
    assert (principal.identity, principal.permissions) == ("ann", ("read",))
    assert principal.scope.identity == "ann"
    assert principal.user is not None
    assert principal.user["team"] == "lakes"
    assert "lakes" not in repr(principal)


async def test_plain_functions_run_off_the_event_loop_and_coroutines_on_it() -> None:
    threads = []

    def plain() -> str:
        threads.append(threading.current_thread())
        return "ann"

    async def coroutine() -> str:
        threads.append(threading.current_thread())
        return "ann"

    class Callable_:
        async def __call__(self) -> str:
            return await coroutine()

    for handler in (plain, coroutine, Callable_()):
        await asked(handler)
    assert [thread is threading.current_thread() for thread in threads] == [False, True, True]


class Quota(Auth.exceptions.HTTPException):
    pass


@pytest.mark.parametrize(
    ("raised", "status", "detail", "headers"),
    [
        (Auth.exceptions.HTTPException(), 401, "Unauthorized", {}),
        (Quota(429, "Too many", {"Retry-After": "7"}), 429, "Too many", {"Retry-After": "7"}),
        (HTTPException(403, "Not you", {"X-Why": "team"}), 403, "Not you", {"X-Why": "team"}),
        (HTTPException(403, {"code": 7}), 403, '{"code":7}', {}),  # type: ignore[arg-type]
        (
            HTTPException(401, None, {"Content-Length": "0", "X-A": "a\r\nb", "X-B": "b"}),
            401,
            "Unauthorized",
            {"X-B": "b"},
        ),
    ],
)
async def test_a_refusal_keeps_its_status_detail_and_headers(
    raised: Exception, status: int, detail: str, headers: dict[str, str]
) -> None:
    def plain() -> str:
        raise raised

    async def coroutine() -> str:
        raise raised

    handlers: list[Callable[[], Any]] = [plain, coroutine]
    for handler in handlers:
        with pytest.raises(Refusal) as caught:
            await asked(handler)
        assert (caught.value.status, caught.value.detail, caught.value.headers) == (status, detail, headers)


@pytest.mark.parametrize(
    "raised",
    [
        KeyError("token"),
        StopIteration(),
        SystemExit(),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        TimeoutError(),
        HTTPException(200, "welcome"),
    ],
)
async def test_anything_else_that_is_raised_is_a_mistake_and_never_a_pass(raised: BaseException) -> None:
    def plain() -> str:
        raise raised

    async def coroutine() -> str:
        raise raised

    handlers: list[Callable[[], Any]] = [plain, coroutine]
    for handler in handlers:
        with pytest.raises(HandlerFailed):
            await asked(handler)


async def test_what_is_no_user_is_a_mistake_and_never_a_pass() -> None:
    for given in (None, True, {"name": "ann"}):
        with pytest.raises(HandlerFailed, match="is no user"):
            await asked(lambda given=given: given)


async def test_a_user_who_is_not_authenticated_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        await asked(lambda: {"identity": "guest", "is_authenticated": False})
    assert caught.value.status == 401


async def test_studio_is_refused_unless_the_handler_is_to_decide() -> None:
    async def nothing() -> Any:
        return None

    request = IncomingRequest({"headers": [(b"x-auth-scheme", b"langsmith")]}, nothing, lambda: None)
    auth = Auth()
    handler: Any = lambda: "ann"  # noqa: E731 - the SDK's types know coroutines only
    auth.authenticate(handler)
    with pytest.raises(Refusal, match="Only LangSmith can verify the credentials of Studio") as caught:
        await CustomAuthentication(auth, "auth", timeout=1).authenticate(request)
    assert caught.value.status == 401
    decides = CustomAuthentication(auth, "auth", timeout=1, refuse_studio=False)
    assert (await decides.authenticate(request)).identity == "ann"


async def test_a_handler_that_takes_too_long_is_not_waited_for() -> None:
    release = threading.Event()

    async def coroutine() -> str:
        await asyncio.Event().wait()
        return "ann"

    def plain() -> str:
        release.wait()
        return "ann"

    handlers: list[Callable[[], str | Awaitable[str]]] = [coroutine, plain]
    try:
        for handler in handlers:
            with pytest.raises(Unavailable, match=r"authentication took longer than 0\.01 s"):
                await asked(handler, timeout=0.01)
    finally:
        release.set()


def unknown(token: str) -> str:
    return token


def by_position(path: str, /) -> str:
    return path


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({"auth": 1}, "is of type dict; it must be an Auth of langgraph_sdk"),
        (Auth(), "has no handler that says who asks; register one with @auth.authenticate"),
        (unknown, "its authentication handler asks for 'token'; it may ask for request, headers, authorization"),
        (by_position, "its authentication handler asks for 'path'"),
    ],
)
def test_what_cannot_authenticate_is_refused_at_the_start(auth: Any, said: str) -> None:
    if callable(auth):
        given, auth = auth, Auth()
        auth.authenticate(given)
    with pytest.raises(ConfigError, match=rf"^langgraph.json: auth \(auth.py:auth\).*{said}"):
        CustomAuthentication(auth, "langgraph.json: auth (auth.py:auth)", timeout=1)


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, MemoryError])
async def test_a_user_that_raises_when_it_is_looked_at_is_a_mistake_of_the_handler(raised: type[BaseException]) -> None:
    class Odd:
        @property
        def identity(self) -> str:
            raise raised

    with pytest.raises(HandlerFailed, match="cannot be read"):
        await asked(lambda: Odd())
