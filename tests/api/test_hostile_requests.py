"""Hostile and broken connections and paths: each gets its answer, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer


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
        async with asyncio.timeout(60):
            said = await self.reader.read()
        start, _, body = said.partition(b"\r\n\r\n")
        return int(start.split(b" ", 2)[1]), body


def head(length: int) -> bytes:
    """The head of a request with a batch."""
    fields = f"host: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}"
    return f"POST /runs/batch HTTP/1.1\r\n{fields}\r\n\r\n".encode()


def batch(tag: str) -> bytes:
    """The body of a batch of one run."""
    item = {"assistant_id": "chain", "input": {"n": 1}, "metadata": {"tag": tag}, "on_completion": "keep"}
    return json.dumps([item]).encode()


async def healthy(http: httpx.AsyncClient) -> bool:
    ok: bool = (await http.get("/ok?check_db=1")).json()["ok"]
    return ok


# Connections


async def test_a_body_that_never_ends_holds_up_nobody(
    live_server: LiveServer, http: httpx.AsyncClient, client: LangGraphClient, tag: str
) -> None:
    body = batch(tag)
    connections = [Connection(live_server.url) for _ in range(50)]
    try:
        for connection in connections:
            await connection.__aenter__()
            await connection.send(head(len(body)), body[:40])

        assert await healthy(http)
        answer: Any = await client.runs.wait(None, "chain", input={"n": 1})
        assert answer["n"] == 112
    finally:
        for connection in connections:
            await connection.__aexit__()
    assert await client.threads.count(metadata={"tag": tag}) == 0


async def test_a_body_that_comes_byte_by_byte_is_accepted(
    live_server: LiveServer, client: LangGraphClient, tag: str
) -> None:
    body = batch(tag)
    async with Connection(live_server.url) as connection:
        await connection.send(head(len(body)), *(body[place : place + 1] for place in range(len(body))))
        status, answer = await connection.answer()

    assert status == 200
    assert json.loads(answer)[0]["metadata"]["tag"] == tag
    assert await client.threads.count(metadata={"tag": tag}) == 1


async def test_a_client_that_goes_before_its_body_is_complete_leaves_nothing(
    live_server: LiveServer, http: httpx.AsyncClient, client: LangGraphClient, tag: str
) -> None:
    body = batch(tag)
    for end in range(0, len(body), 10):
        async with Connection(live_server.url) as connection:
            await connection.send(head(len(body)), body[:end])

    assert await healthy(http)
    assert await client.threads.count(metadata={"tag": tag}) == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /ok HTTP/1.1\r\nhost: 127.0.0.1\r\nbad header\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:24]),
)
async def test_what_is_no_http_is_turned_away(live_server: LiveServer, http: httpx.AsyncClient, sent: bytes) -> None:
    async with Connection(live_server.url) as connection:
        await connection.send(sent)
        status, body = await connection.answer()

    assert (status, set(json.loads(body))) == (400, {"detail"})
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
        ("/threads", 405),
        ("/threads/x", 422),
        (f"/threads/{ZERO}", 404),
        (f"/threads/{ZERO}/", 404),
        (f"/threads/{{{ZERO}}}", 404),
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


async def test_the_server_is_healthy_after_all_of_that(live_server: LiveServer, http: httpx.AsyncClient) -> None:
    assert await healthy(http)
    live_server.await_workers(2)
    # Graphs that fail log their tracebacks; requests that fail because of the server would be logged here.
    assert "runyard.handlers" not in live_server.log.read_text()
