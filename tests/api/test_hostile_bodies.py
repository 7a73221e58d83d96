"""Hostile and broken bodies against a live server: each is refused and leaves nothing, or comes back unchanged."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer

CREATING = ["/runs", "/runs/batch", "/runs/wait", "/runs/stream"]
LIMIT = 100_000
"""Bytes of a body that the strict server takes."""


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of its own, with a low limit."""
    server = LiveServer(
        tmp_path_factory.mktemp("strict") / "data", args=("--workers", "0"), env={"RUNYARD_BODY_LIMIT": str(LIMIT)}
    )
    try:
        yield server.start()
    finally:
        server.close()


def alike(tag: str, value: str) -> bytes:
    """A run as JSON text, whose input is that text."""
    rest = json.dumps({"assistant_id": "chain", "metadata": {"tag": tag}, "on_completion": "keep"})
    return f'{rest[:-1]}, "input": {value}}}'.encode()


VALUES = {
    "an integer beyond 64 bits": "18446744073709551616",
    "an integer of 5,000 digits": "1" * 5_000,
    "a float beyond doubles": "1e999",
    "NaN": "NaN",
    "Infinity": "[-Infinity]",
    "NUL in a string": r'{"last": "a\u0000b"}',
    "NUL in a key": r'{"a\u0000": 1}',
    "a raw control character": '"a\x01b"',
    "a lone surrogate": r'"\ud800"',
    "a key twice": '{"n": 1, "n": 2}',
    "201 levels": "[" * 201 + "]" * 201,
    "100,000 levels": "[" * 100_000 + "]" * 100_000,
    "truncated": '{"n": 1',
    "more than one value": "1} {",
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("path", CREATING)
async def test_values_that_cannot_be_kept_are_refused_and_leave_nothing(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str, path: str, kind: str
) -> None:
    body = alike(tag, VALUES[kind])
    if path == "/runs/batch":
        body = b"[%b, %b]" % (alike(tag, "{}"), body)

    answer = await http.post(path, content=body)

    assert answer.status_code == 422, answer.text
    assert list(answer.json()) == ["detail"]
    assert await client.threads.count(metadata={"tag": tag}) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"null",
        b"0",
        b'"x"',
        b"{}",
        b"[]",
        b"[[]]",
        b"[null]",
        b"\xff\xfe\x00",
        b"\x1f\x8b",
        b"<xml/>",
        b"a=1",
    ],
    ids=repr,
)
async def test_bodies_that_are_no_batch_are_refused(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/runs/batch", content=body)

    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


async def test_what_looks_strange_but_is_fine_comes_back_unchanged(http: httpx.AsyncClient) -> None:
    strange: dict[str, Any] = {
        "": "",
        "constructor": "__proto__",
        "__class__": {"lc": 2, "type": "constructor", "id": ["builtins", "eval"], "kwargs": {}},
        "quotes": "\"'`\\ '; drop table runs; --",
        "unicode": "\u202e\ufeff\U0001f99c e\u0301 \x7f",
        "deep": json.loads("[" * 150 + "]" * 150),
        "numbers": [0, -0.0, 2**53 + 1, -(2**63), 2**64 - 1, 5e-324],
    }

    answer = await http.post("/runs/wait", json={"assistant_id": "shout", "input": strange})

    assert answer.status_code == 200
    assert json.loads(answer.content) == {"got": strange}


async def test_compressed_bodies_are_refused_as_such(http: httpx.AsyncClient) -> None:
    answer = await http.post("/runs/batch", content=b"\x1f\x8b", headers={"content-encoding": "gzip"})

    assert answer.status_code == 415


async def test_the_content_type_does_not_matter(http: httpx.AsyncClient) -> None:
    for kind in ("text/plain", "application/xml", ""):
        answer = await http.post("/runs", content=b'{"assistant_id": "chain"}', headers={"content-type": kind})
        assert answer.status_code == 200


async def test_fifty_megabytes_are_one_batch(http: httpx.AsyncClient, client: LangGraphClient, tag: str) -> None:
    item = {
        "assistant_id": "chain",
        "input": {"last": "x" * 500_000},
        "metadata": {"tag": tag},
        "after_seconds": 86_400,
    }
    answer = await http.post("/runs/batch", json=[item] * 100)

    assert answer.status_code == 200
    runs = answer.json()
    assert len(runs) == 100
    assert len(runs[-1]["kwargs"]["input"]["last"]) == 500_000
    await client.runs.cancel_many(status="pending", action="rollback")
    assert await client.threads.count(metadata={"tag": tag}) == 0


async def test_a_large_value_comes_back_whole(http: httpx.AsyncClient) -> None:
    answer = await http.post("/runs/wait", json={"assistant_id": "shout", "input": "x" * 5_000_000})

    assert answer.json() == "X" * 5_000_000


async def test_a_body_beyond_the_limit_is_refused_however_it_is_sent(strict_server: LiveServer) -> None:
    body = json.dumps([{"assistant_id": "chain", "input": {"last": "x" * LIMIT}}]).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    async with httpx.AsyncClient(base_url=strict_server.url) as http:
        declared = await http.post("/runs/batch", content=body)
        chunked = await http.post("/runs/batch", content=pieces())
        fitting = await http.post("/runs/batch", json=[{"assistant_id": "chain", "input": {"last": "x" * 90_000}}])

    assert (declared.status_code, chunked.status_code, fitting.status_code) == (413, 413, 200)
    assert str(LIMIT) in declared.json()["detail"].replace(",", "")
