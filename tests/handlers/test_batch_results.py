"""Results of batches, as far as requests and answers go."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest

from runyard.handlers.http import json_lines
from runyard.runtime.errors import NotFound

from .asgi_client import exchange
from .fakes.batch_results import make_line
from .fakes.runtime import FakeRuntime

BATCH_ID = str(uuid.UUID(int=1))
RESULTS = f"/batches/{BATCH_ID}/results"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "KEEP_ALIVE", 0.05)


async def test_lines_are_passed_on_as_they_come(runtime: FakeRuntime) -> None:
    runtime.batch_results.script = [make_line(index=0) + make_line(index=1), make_line(index=2, custom_id="x")]
    response = await exchange(runtime, "GET", RESULTS)
    assert response.status == 200
    assert response.headers["content-type"] == "application/jsonl"
    assert response.headers["cache-control"] == "no-store"
    assert [part.count(b"\n") for part in response.parts] == [2, 1, 0]
    assert [json.loads(line)["index"] for line in b"".join(response.parts).splitlines()] == [0, 1, 2]
    assert runtime.batch_results.calls == [("read", BATCH_ID, -1, [], False)]


async def test_silence_is_filled_with_empty_lines(runtime: FakeRuntime) -> None:
    runtime.batch_results.script = [0.18, make_line()]
    response = await exchange(runtime, "GET", f"{RESULTS}?follow=true")
    assert response.parts[:3] == [b"\n"] * 3
    assert json.loads(response.parts[-2])["index"] == 0


async def test_a_reader_that_leaves_is_let_go(runtime: FakeRuntime) -> None:
    runtime.batch_results.script = [60.0]
    response = await exchange(runtime, "GET", f"{RESULTS}?follow=true", disconnect_after=0.1)
    assert set(response.parts) == {b"\n"}


class Failing:
    """Says a line, and then that it cannot go on."""

    def __init__(self) -> None:
        self._said = False

    async def next(self, timeout: float) -> bytes | None:
        if self._said:
            raise NotFound("The results were given up while they were read")
        self._said = True
        return make_line()


async def test_a_response_that_cannot_go_on_is_cut_and_not_ended() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(NotFound):
        await json_lines.JsonLines(Failing())({}, asyncio.Event().wait, send)  # type: ignore[arg-type]
    assert [message.get("more_body") for message in sent] == [None, True]


async def test_what_is_asked_for(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    await client.get(RESULTS, params={"after": 7, "status": ["error", "timeout"], "follow": "true"})
    await client.post(f"/batches/{BATCH_ID}/retry")
    await client.post(f"/batches/{BATCH_ID}/retry", params={"status": ["interrupted"]})
    assert runtime.batch_results.calls == [
        ("read", BATCH_ID, 7, ["error", "timeout"], True),
        ("retry", BATCH_ID, ["error", "timeout"]),
        ("retry", BATCH_ID, ["interrupted"]),
    ]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (f"{RESULTS}?after=-2", "after"),
        (f"{RESULTS}?after=x", "after"),
        (f"{RESULTS}?status=pending", "status"),
        ("/batches/x/results", "batch ID"),
    ],
)
async def test_what_cannot_be_asked_for(client: httpx.AsyncClient, path: str, place: str) -> None:
    response = await client.get(path)
    assert response.status_code == 422
    assert place in response.json()["detail"]


async def test_a_success_is_not_to_be_retried(client: httpx.AsyncClient) -> None:
    response = await client.post(f"/batches/{BATCH_ID}/retry?status=success")
    assert response.status_code == 422
    assert "status" in response.json()["detail"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"{\n", "line: it is not JSON"),
        (b"[]\n", "line: [] is not of type"),
        (make_line(status="pending"), "line.status"),
        (make_line(tries=None), "line.tries"),
        (make_line()[:-1], "it ends in the middle"),
    ],
)
async def test_a_broken_line_is_found(runtime: FakeRuntime, line: bytes, found: str, violations: list[str]) -> None:
    runtime.batch_results.script = [b"\n", make_line(), line]
    await exchange(runtime, "GET", RESULTS)
    (violation,) = violations
    violations.clear()
    assert found in violation
