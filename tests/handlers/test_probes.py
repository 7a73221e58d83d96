"""What a server without an API lets through."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.handlers.http.probes import ProbesOnly


async def ask(path: str, *, kind: str = "http", prefix: str = "") -> list[dict[str, Any]]:
    """What is sent for a request; `app` alone where the application was asked."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "app"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "path": path, "method": "GET", "headers": []}
    await ProbesOnly(app, prefix=prefix)(scope, receive, send)
    return sent


@pytest.mark.parametrize("path", ["/ok", "/metrics", "/agents/ok", "/agents/metrics"])
async def test_questions_how_it_is_are_let_through(path: str) -> None:
    assert await ask(path, prefix="/agents") == [{"type": "app"}]


@pytest.mark.parametrize("path", ["/", "/ok/", "/threads", "/runs/wait", "/docs", "/okay", "/agents/threads"])
async def test_all_else_is_not_there(path: str) -> None:
    start, body = await ask(path, prefix="/agents")
    assert start["status"] == 404
    assert b"has no API" in body["body"]


async def test_a_websocket_is_refused() -> None:
    assert await ask("/threads/1/stream/events", kind="websocket") == [{"type": "websocket.close", "code": 1000}]


async def test_the_start_and_the_end_of_the_server_go_through() -> None:
    assert await ask("", kind="lifespan") == [{"type": "app"}]
