"""Connections that are slow, silent or greedy: each ends in time, with an answer where one can be given."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.live_server import LiveServer

HEADER_LIMIT = 8_192
OK = b"GET /ok HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
STREAM_BODY = json.dumps({"assistant_id": "slow", "input": {"delay": 0.7, "steps": 3}}).encode()
STREAM = b"POST /runs/stream HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\n\r\n%b" % (
    len(STREAM_BODY),
    STREAM_BODY,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that waits for nobody for long."""
    server = LiveServer(
        tmp_path_factory.mktemp("bounded") / "data",
        args=("--workers", "0"),
        env={
            "RUNYARD_HEADER_LIMIT": str(HEADER_LIMIT),
            "RUNYARD_RECEIVE_TIMEOUT": "1",
            "RUNYARD_IDLE_TIMEOUT": "1",
            "RUNYARD_BODY_LIMIT": "100000",
        },
    )
    try:
        yield server.start()
    finally:
        server.close()


@asynccontextmanager
async def connected(server: LiveServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(30):
            yield reader, writer
    finally:
        writer.close()


async def said_until_the_end(reader: asyncio.StreamReader) -> tuple[int | None, bytes]:
    """Status and body of the answer, once the server has closed the connection; None when it said nothing."""
    said = await reader.read()
    if not said:
        return None, b""
    start, _, body = said.partition(b"\r\n\r\n")
    return int(start.split(b" ", 2)[1]), body


async def answer(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which has a length; the connection stays."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    await reader.readexactly(int(length[1]))
    return int(head.split(b" ", 2)[1])


def memory(server: LiveServer) -> int:
    """MiB that the server has."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /ok HT",
        b"GET /ok HTTP/1.1\r\nhost: 127.0.0.1\r\nx-more: ",
        b"\r\n\r\n",
        b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n",
        b'POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{"assistant_id"',
        b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{",
        OK + b"GET /ok HT",
    ],
    ids=["line", "header", "nothing but line ends", "no body", "half a body", "half a chunk", "after another request"],
)
async def test_a_request_that_is_sent_by_half_is_answered_in_time(server: LiveServer, sent: bytes) -> None:
    async with connected(server) as (reader, writer):
        writer.write(sent)
        if sent.startswith(OK):
            assert await answer(reader) == 200
        status, body = await said_until_the_end(reader)

    assert status == 408
    assert list(json.loads(body)) == ["detail"]


@pytest.mark.parametrize("before", [b"", OK], ids=["new", "used"])
async def test_a_connection_that_says_nothing_is_closed(server: LiveServer, before: bytes) -> None:
    async with connected(server) as (reader, writer):
        writer.write(before)
        if before:
            assert await answer(reader) == 200
        assert await said_until_the_end(reader) == (None, b"")


@pytest.mark.parametrize(
    "start",
    [b"GET /ok HTTP/1.1\r\nx: ", b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100000\r\n\r\n{"],
    ids=["head", "body"],
)
async def test_a_request_that_drips_is_not_waited_for(server: LiveServer, start: bytes) -> None:
    async with connected(server) as (reader, writer):
        writer.write(start)
        ended = asyncio.create_task(said_until_the_end(reader))
        while not ended.done():
            writer.write(b"1")
            await asyncio.wait({ended}, timeout=0.05)
        status, _ = await ended
    assert status == 408


@pytest.mark.parametrize("kind", ["many", "one", "address", "never ends"])
async def test_a_head_that_is_too_large_is_refused(server: LiveServer, kind: str) -> None:
    head = {
        "many": b"GET /ok HTTP/1.1\r\nhost: 127.0.0.1\r\n" + b"a: b\r\n" * HEADER_LIMIT + b"\r\n",
        "one": b"GET /ok HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"x" * HEADER_LIMIT + b"\r\n\r\n",
        "address": b"GET /ok?" + b"x" * HEADER_LIMIT + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        "never ends": b"GET /ok HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"x" * 50 * HEADER_LIMIT,
    }[kind]
    async with connected(server) as (reader, writer):
        writer.write(head)
        status, body = await said_until_the_end(reader)
    assert status == 431
    assert str(HEADER_LIMIT) in json.loads(body)["detail"]


async def test_a_head_within_the_limit_is_served(server: LiveServer) -> None:
    async with connected(server) as (reader, writer):
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nx: " + b"x" * (HEADER_LIMIT - 200) + b"\r\n\r\n"))
        assert await answer(reader) == 200


async def test_a_body_that_is_too_large_is_refused_before_it_comes(server: LiveServer) -> None:
    async with connected(server) as (reader, writer):
        writer.write(b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 900000\r\n\r\n")
        assert await answer(reader) == 413
        # A client that goes on sending all the same is heard out, and the connection is as good as before.
        writer.write(b"x" * 900_000 + OK)
        assert await answer(reader) == 200


async def test_a_client_that_asks_first_is_told_not_to_send(server: LiveServer) -> None:
    async with connected(server) as (reader, writer):
        writer.write(
            b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\nexpect: 100-continue\r\ncontent-length: 900000\r\n\r\n"
        )
        assert await answer(reader) == 413
        assert await said_until_the_end(reader) == (None, b"")


async def test_a_stream_is_not_idle_whatever_it_waits_for(server: LiveServer) -> None:
    """Longer than every time-out here: for what the server itself does, the client is not to blame."""
    async with connected(server) as (reader, writer):
        writer.write(STREAM)
        assert b"200" in await reader.readline()
        assert b"event: values" in await reader.readuntil(b"0\r\n\r\n")
        writer.write(OK)
        assert await answer(reader) == 200


async def test_some_requests_may_be_sent_ahead(server: LiveServer) -> None:
    async with connected(server) as (reader, writer):
        writer.write(OK * 50)
        assert [await answer(reader) for _ in range(50)] == [200] * 50


@pytest.mark.parametrize("ahead", [OK * 100_000, OK.replace(b"GET", b"POST") * 100_000], ids=["GET", "POST"])
async def test_a_client_that_sends_ahead_without_end_is_left(server: LiveServer, ahead: bytes) -> None:
    before = memory(server)
    async with connected(server) as (reader, writer):
        writer.write(ahead)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        assert reader.at_eof() or reader.exception()
    assert memory(server) - before < 50


async def test_the_body_of_a_request_that_waits_its_turn_is_bounded(server: LiveServer) -> None:
    before = memory(server)
    async with connected(server) as (reader, writer):
        writer.write(STREAM + b"POST /runs HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 900000000\r\n\r\n")
        assert b"200" in await reader.readline()
        writer.write(b"x" * 100_000_000)
        await reader.readuntil(b"0\r\n\r\n")
        assert memory(server) - before < 50
        assert await answer(reader) == 413


async def test_others_are_served_meanwhile(server: LiveServer) -> None:
    async with asyncio.TaskGroup() as group:
        waiting: list[asyncio.Task[Any]] = []
        for _ in range(50):
            waiting.append(group.create_task(_half_a_request(server)))
        assert server.http.get(f"{server.url}/ok").status_code == 200
    assert [task.result() for task in waiting] == [408] * 50


async def _half_a_request(server: LiveServer) -> int | None:
    async with connected(server) as (reader, writer):
        writer.write(OK[:20])
        status, _ = await said_until_the_end(reader)
        return status
