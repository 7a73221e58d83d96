"""Hostile and broken bodies against a live server: each is refused and leaves nothing, or comes back unchanged."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer

CREATING = ["/runs", "/runs/batch", "/runs/wait", "/runs/stream"]
LIMIT = 100_000
"""Bytes of a body that the strict server takes."""
BATCH_LIMIT = 300_000
"""Bytes of a batch that it takes."""


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of its own, with a low limit."""
    server = LiveServer(
        tmp_path_factory.mktemp("strict") / "data",
        args=("--workers", "0"),
        env={
            "RUNYARD_BODY_LIMIT": str(LIMIT),
            "RUNYARD_BATCH_BODY_LIMIT": str(BATCH_LIMIT),
            "RUNYARD_BATCH_LIMIT": "3",
        },
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


@pytest.mark.parametrize(("path", "limit"), [("/runs", LIMIT), ("/runs/batch", BATCH_LIMIT)])
async def test_a_body_beyond_the_limit_is_refused_however_it_is_sent(
    strict_server: LiveServer, path: str, limit: int
) -> None:
    def run(size: int) -> Any:
        item = {"assistant_id": "chain", "input": {"last": "x" * size}}
        return [item] if path == "/runs/batch" else item

    body = json.dumps(run(limit)).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    async with httpx.AsyncClient(base_url=strict_server.url, timeout=60) as http:
        declared = await http.post(path, content=body)
        chunked = await http.post(path, content=pieces())
        fitting = await http.post(path, json=run(limit - 1_000))

    assert (declared.status_code, chunked.status_code, fitting.status_code) == (413, 413, 200)
    for refused in (declared, chunked):
        assert str(limit) in refused.json()["detail"]
        assert "_LIMIT" in refused.json()["detail"]


async def test_a_batch_of_too_many_runs_is_refused_with_the_limit_that_the_document_says(
    strict_server: LiveServer,
) -> None:
    async with httpx.AsyncClient(base_url=strict_server.url, timeout=60) as http:
        document = (await http.get("/openapi.json")).json()
        refused = await http.post("/runs/batch", json=[{"assistant_id": "chain"}] * 4)
        fitting = await http.post("/runs/batch", json=[{"assistant_id": "chain"}] * 3)

    assert document["components"]["schemas"]["RunBatchCreate"]["maxItems"] == 3
    assert (refused.status_code, fitting.status_code) == (422, 200)
    assert "at most 3 items" in refused.json()["detail"]


async def test_ten_thousand_runs_are_a_batch_by_default_and_one_more_is_none(http: httpx.AsyncClient, tag: str) -> None:
    item = {"assistant_id": "chain", "metadata": {"tag": tag}}
    answer = await http.post("/runs/batch", json=[item] * 10_001)

    assert answer.status_code == 422
    assert "at most 10000 items, and has 10001" in answer.json()["detail"]
    assert (await http.post("/threads/count", json={"metadata": {"tag": tag}})).json() == 0


# What a refusal takes

MANY = 400_000
"""Of them, a body of a megabyte or two is made."""


def many(item: str, *, last: str = "") -> str:
    return f"[{','.join([item] * MANY + ([last] if last else []))}]"


def run_with(**fields: str) -> tuple[str, str]:
    given = ", ".join(f'"{name}": {value}' for name, value in fields.items())
    return "/runs", f'{{"assistant_id": "chain", {given}}}'


COSTLY: dict[str, Callable[[], tuple[str, str]]] = {
    "wrong stream modes": lambda: run_with(stream_mode=many('"z"')),
    "one wrong name": lambda: run_with(interrupt_before=many('"a"', last="1")),
    "wrong names": lambda: run_with(interrupt_after=many("1")),
    "wrong tags": lambda: run_with(config=f'{{"tags": {many("1")}}}'),
    "wrong calls": lambda: run_with(command=f'{{"goto": {many("1")}}}'),
    "one number that is too large": lambda: run_with(input=many("1", last="9" * 30)),
    "one NUL": lambda: run_with(input=many("1", last=r'"\u0000"')),
    "one key twice": lambda: run_with(input=many("1", last='{"a": 1, "a": 2}')),
    "no assistant beside much else": lambda: ("/runs", f'{{"input": {many("1")}}}'),
    "a list where an object should be": lambda: ("/runs", many("1")),
    "a batch of numbers": lambda: ("/runs/batch", many("1")),
    "a batch of lists": lambda: ("/runs/batch", many("[]")),
    "a batch of one that is no run": lambda: ("/runs/batch", f"[{many('1')}]"),
    "wrong ids": lambda: ("/threads/prune", f'{{"thread_ids": {many("1")}}}'),
    "wrong fields": lambda: ("/threads/search", f'{{"select": {many("1")}}}'),
    "a long key": lambda: run_with(config=f'{{"{"k" * 2 * MANY}": 1}}'),
    "a long key that is there twice": lambda: run_with(input=f'{{"{"k" * MANY}": 1, "{"k" * MANY}": 2}}'),
    "a long assistant": lambda: ("/runs", f'{{"assistant_id": "{"k" * 2 * MANY}"}}'),
    "a long name": lambda: run_with(multitask_strategy=f'"{"k" * 2 * MANY}"'),
}


def peak_memory(server: LiveServer) -> int:
    """The most MiB that the API process had at once since the last call."""
    process = Path(f"/proc/{server.pid}")
    found = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
    assert found is not None
    (process / "clear_refs").write_text("5")
    return int(found[1]) // 1024


@pytest.mark.parametrize("kind", COSTLY)
async def test_what_a_refusal_takes_is_bounded(live_server: LiveServer, http: httpx.AsyncClient, kind: str) -> None:
    path, body = COSTLY[kind]()
    peak_memory(live_server)
    before = peak_memory(live_server)

    answer = await http.post(path, content=body)

    assert answer.status_code in (404, 422), answer.text
    assert len(answer.text) < 5_000
    # The parsed body takes some 30 MiB; a description of each fault, with a copy of its place, takes a thousand.
    assert peak_memory(live_server) - before < 200


async def test_filters_of_a_thousand_entries_are_served_and_of_more_refused(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str
) -> None:
    entries: dict[str, Any] = {"tag": tag, **{f"key {number}": number for number in range(999)}}
    thread = await client.threads.create(metadata=entries)

    for path in ("/threads/search", "/threads/count", "/assistants/search"):
        for few in (500, 1_000):
            found = await http.post(path, json={"metadata": dict(list(entries.items())[:few])})
            assert found.status_code == 200, found.text
        missed = await http.post(path, json={"metadata": {**entries, "key 7": 8}})
        refused = await http.post(path, json={"metadata": {**entries, "more": 1}})
        assert missed.json() in ([], 0)
        assert refused.status_code == 422
    (same,) = await client.threads.search(metadata=entries)
    assert same["thread_id"] == thread["thread_id"]
