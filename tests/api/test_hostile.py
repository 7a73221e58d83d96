"""Hostile and broken requests against a live server: each gets its answer, leaves nothing, and disturbs nobody."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from ..live_server import LiveServer

CREATING = ["/runs", "/runs/batch", "/runs/wait", "/runs/stream"]
LIMIT = 100_000
"""Bytes of a body that the strict server takes."""


@pytest.fixture
async def http(live_server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live_server.url, timeout=60) as http:
        yield http


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


class Connection:
    """A client that writes bytes as it likes."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)

    async def __aenter__(self) -> Connection:
        self.reader, self.writer = await asyncio.open_connection(self._address.hostname, self._address.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Status and the rest of what comes until the server closes the connection."""
        async with asyncio.timeout(30):
            said = await self.reader.read()
        head, _, body = said.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body


def post(path: str, length: int | None, *headers: str) -> bytes:
    """The head of a request."""
    lines = [f"POST {path} HTTP/1.1", "host: x", "connection: close", *headers]
    if length is not None:
        lines.append(f"content-length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def alike(tag: str, value: str) -> bytes:
    """A run as JSON text, whose input is that text."""
    return f'{{"assistant_id": "chain", "metadata": {{"tag": "{tag}"}}, "on_completion": "keep", "input": {value}}}'.encode()


async def healthy(http: httpx.AsyncClient) -> bool:
    ok: bool = (await http.get("/ok?check_db=1")).json()["ok"]
    return ok


# Bodies

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
    [b"", b"[", b"null", b"0", b'"x"', b"{}", b"[]", b"[[]]", b"[null]", b"\xff\xfe\x00", b"\x1f\x8b\x08", b"<xml/>", b"a=1&b=2"],
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


# Connections


async def test_a_body_that_never_ends_holds_up_nobody(
    live_server: LiveServer, http: httpx.AsyncClient, client: LangGraphClient, tag: str
) -> None:
    body = b"[%b]" % alike(tag, '{"n": 1}')
    connections = [Connection(live_server.url) for _ in range(50)]
    try:
        for connection in connections:
            await connection.__aenter__()
            await connection.send(post("/runs/batch", len(body)), body[:40])

        assert await healthy(http)
        assert (await client.runs.wait(None, "chain", input={"n": 1}))["n"] == 112  # type: ignore[call-overload]
    finally:
        for connection in connections:
            await connection.__aexit__()
    assert await client.threads.count(metadata={"tag": tag}) == 0


async def test_a_body_that_comes_byte_by_byte_is_accepted(
    live_server: LiveServer, client: LangGraphClient, tag: str
) -> None:
    body = b"[%b]" % alike(tag, '{"n": 1}')
    async with Connection(live_server.url) as connection:
        await connection.send(post("/runs/batch", len(body)), *(body[place : place + 1] for place in range(len(body))))
        status, answer = await connection.answer()

    assert status == 200
    assert json.loads(answer)[0]["metadata"]["tag"] == tag
    assert await client.threads.count(metadata={"tag": tag}) == 1


async def test_a_client_that_goes_before_its_body_is_complete_leaves_nothing(
    live_server: LiveServer, http: httpx.AsyncClient, client: LangGraphClient, tag: str
) -> None:
    body = b"[%b]" % alike(tag, '{"n": 1}')
    for end in range(0, len(body), 10):
        async with Connection(live_server.url) as connection:
            await connection.send(post("/runs/batch", len(body)), body[:end])

    assert await healthy(http)
    assert await client.threads.count(metadata={"tag": tag}) == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /runs HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /runs HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /runs HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /ok HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:24]),
)
async def test_what_is_no_http_is_turned_away(live_server: LiveServer, http: httpx.AsyncClient, sent: bytes) -> None:
    async with Connection(live_server.url) as connection:
        await connection.send(sent)
        status, _ = await connection.answer()

    assert status == 400
    assert await healthy(http)


# Paths, methods, parameters


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/runs", "POST"),
        ("DELETE", "/runs", "POST"),
        ("PUT", "/runs/batch", "POST"),
        ("PATCH", "/runs/wait", "POST"),
        ("PROPFIND", "/runs/stream", "POST"),
        ("POST", "/ok", "GET"),
        ("GET", "/threads/search", "POST"),
        ("DELETE", "/runs/cancel", "POST"),
    ],
)
async def test_a_wrong_method_is_answered_with_the_right_ones(
    http: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await http.request(method, path)

    assert answer.status_code == 405
    assert allowed in answer.headers["allow"].split(", ")
    assert method not in answer.headers["allow"]


ZERO = str(uuid.UUID(int=0))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/threads", 404),
        ("/threads/x", 422),
        (f"/threads/{ZERO}", 404),
        (f"/threads/{ZERO}/", 404),
        (f"/threads/{{{ZERO}}}", 422),
        (f"/threads/{'a' * 5_000}", 422),
        ("/threads/..%2f..%2fetc%2fpasswd", 404),
        ("/threads/%00", 422),
        ("/threads/%ff%fe", 422),
        (f"/threads/{ZERO}/runs?limit=x", 400),
        (f"/threads/{ZERO}/runs?limit=-1", 422),
        (f"/threads/{ZERO}/runs?limit=99999999999999999999", 400),
        (f"/threads/{ZERO}/runs?offset=9223372036854775807", 400),
        (f"/threads/{ZERO}/runs/x", 422),
        (f"/threads/{ZERO}/runs/{ZERO}", 404),
        ("/assistants/x", 422),
        (f"/assistants/{ZERO}", 404),
        ("/runs/../ok", 200),
    ],
)
async def test_no_path_or_parameter_is_too_much(http: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await http.get(path)

    assert (answer.status_code, path) == (status, path)
    assert "Traceback" not in answer.text


async def test_after_all_of_that_the_server_is_well(live_server: LiveServer, http: httpx.AsyncClient) -> None:
    assert await healthy(http)
    assert len(live_server.await_workers(2)) == 2
    assert "Traceback" not in Path(live_server.log).read_text()
