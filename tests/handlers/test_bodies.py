"""Request bodies: hostile ones are refused with the place of what is wrong; no value is changed in silence."""

from __future__ import annotations

import json

import httpx
import pytest

from runyard.generated.models import RunCreateStateless

from .asgi_client import connected, exchange
from .fakes.runtime import FakeRuntime

DEEP_ENOUGH = 200 - 2  # the batch and its item are two levels


def item(text: str) -> bytes:
    return b'[{"assistant_id": "chain", "input": ' + text.encode() + b"}]"


async def post(client: httpx.AsyncClient, content: bytes, path: str = "/runs/batch", **headers: str) -> httpx.Response:
    return await client.post(path, content=content, headers=headers)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"", "Invalid JSON in request body: it is empty"),
        (b" \n", "Invalid JSON in request body: it is empty"),
        (b'[{"assistant_id": "chain",', "Invalid JSON in request body: "),
        (b"{'a': 1}", "Invalid JSON in request body: "),
        (b"NaN", "Invalid JSON in request body: "),
        (b"\xff\xfe", "Invalid JSON in request body: "),
        (b"\xef\xbb\xbf[]", "Invalid JSON in request body: "),
        (b"[1] 2", "Invalid JSON in request body: "),
        (item("Infinity"), "Invalid JSON in request body: "),
        (item("1" * 5000), "Invalid JSON in request body: "),
        (item("1e999"), "Invalid JSON in request body: "),
        (item(r'"\ud800"'), "Invalid JSON in request body: "),
        (item(r'"\u0000"'), "body[0].input: NUL"),
        (item(r'{"a\u0000": 1}'), "body[0].input: NUL"),
        (item("18446744073709551616"), "body[0].input: the integer does not fit into 64 bits"),
        (item("[-9223372036854775809]"), "body[0].input[0]: the integer does not fit into 64 bits"),
        (item('{"é ü": [' + "1" * 40 + "]}"), 'body[0].input["\\u00e9 \\u00fc"][0]: the integer does not fit'),
        (item('{"a": 1, "a": 2}'), 'body[0].input: the key "a" occurs more than once'),
        (item('{"a": 1, "\\u0061": 2}'), 'body[0].input: the key "a" occurs more than once'),
        (b'[{"assistant_id": "a"}, {"assistant_id": "b", "assistant_id": "c"}]', "body[1]: the key"),
        (item("[" * 199 + "]" * 199), "body[0].input" + "[0]" * 14 + "...: nested deeper than 200 levels"),
        (b"[" * 100_000, "body: nested deeper than 200 levels"),
        (b'{"a":' * 100_000, "body: nested deeper than 200 levels"),
        (b"[]", '[] has less than 1 item\n\nFailed validating "minItems" in schema\n\nOn instance:\n    []'),
        (b"null", 'null is not of type "array"\n\nFailed validating "type" in schema\n\nOn instance:'),
        (b"{}", '{} is not of type "array"\n\nFailed'),
        (b'[{"assistant_id": "a"}, {"input": {}}]', 'body[1]: "assistant_id" is required'),
        (b'[{"assistant_id": "a", "config": {"tags": [1]}}]', 'body[0].config.tags[0]: 1 is not of type "string"'),
        (b'[{"assistant_id": "a", "durability": null}]', "body[0].durability: null is not "),
        (b'[{"assistant_id": "a", "command": {"goto": {"node": "x"}}}]', 'body[0].command.goto: "input" is required'),
        (b'[{"assistant_id": "a", "stream_mode": ["values", "z"]}]', 'body[0].stream_mode[1]: "z" is not one of "val'),
        (b'[{"assistant_id": "a", "webhook": "http://["}]', 'body[0].webhook: "http://[" is not a "uri-reference"'),
        (b'[{"assistant_id": "a", "after_seconds": 1e300}]', "body[0].after_seconds: 1e+300 is not at most"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value[:30]),
)
async def test_refused(client: httpx.AsyncClient, runtime: FakeRuntime, raw: bytes, detail: str) -> None:
    response = await post(client, raw)
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.json()["detail"].startswith(detail)
    assert runtime.runs.created == []


async def test_many_errors_are_not_all_listed(client: httpx.AsyncClient) -> None:
    response = await client.post("/runs/batch", json=[{}] * 10_000)
    assert response.status_code == 422
    assert response.json()["detail"] == (
        'body[0]: "assistant_id" is required; body[1]: "assistant_id" is required; '
        'body[2]: "assistant_id" is required; and more'
    )


async def test_large_values_are_shortened_in_errors(client: httpx.AsyncClient) -> None:
    response = await client.post("/runs/batch", json={"a": "x" * 10_000})
    assert len(response.json()["detail"]) < 500


@pytest.mark.parametrize(
    "value",
    [
        "5",
        "18446744073709551615",
        "-9223372036854775808",
        "1.5",
        "1e-9",
        "true",
        "null",
        '"\\u2028\\ud83e\\udd9c\\"\\\\"',
        '{"\\u0022:": ":\\""}',
        '{"": {"": [[]]}}',
        "[" * DEEP_ENOUGH + "]" * DEEP_ENOUGH,
    ],
    ids=lambda value: value[:30],
)
async def test_values_arrive_as_they_were_sent(client: httpx.AsyncClient, runtime: FakeRuntime, value: str) -> None:
    response = await post(client, item(value))
    assert response.status_code == 200, response.text
    received = runtime.runs.created[0].input
    assert received == json.loads(value)
    assert type(received) is type(json.loads(value))


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-8", "x/y", ""])
async def test_the_content_type_does_not_matter(client: httpx.AsyncClient, content_type: str) -> None:
    assert (await post(client, item("1"), **{"content-type": content_type})).status_code == 200


async def test_compressed_bodies_are_refused(client: httpx.AsyncClient) -> None:
    response = await post(client, item("1"), **{"content-encoding": "gzip"})
    assert response.status_code == 415
    assert "Compressed" in response.json()["detail"]


async def test_ten_thousand_items_and_a_large_one(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    batch = [{"assistant_id": "chain", "input": {"n": n}} for n in range(10_000)]
    response = await client.post("/runs/batch", json=batch)
    assert [run["kwargs"]["input"]["n"] for run in response.json()] == list(range(10_000))
    response = await client.post("/runs/batch", json=[{"assistant_id": "chain", "input": "x" * 50_000_000}])
    assert response.status_code == 200
    assert runtime.runs.created[-1].input == "x" * 50_000_000


async def test_whole_numbers_may_have_a_fraction_of_zero(client: httpx.AsyncClient) -> None:
    response = await client.post("/threads/search", content=b'{"limit": 1.0, "offset": 3.0}')
    assert response.headers["x-pagination-total"] == "5"
    response = await client.post("/threads/search", content=b'{"limit": 1.5}')
    assert response.status_code == 422
    assert response.json() == {"detail": 'body.limit: 1.5 is not of type "integer"'}


async def test_unknown_fields_are_ignored(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    await client.post("/runs/batch", json=[{"assistant_id": "a", "assistantId": "a", "zzz": 1}])
    assert runtime.runs.created[0].assistant_id == "a"


async def test_items_of_a_batch_may_have_camel_case_names(client: httpx.AsyncClient, runtime: FakeRuntime) -> None:
    item = {"assistant_id": "a", "streamMode": "updates", "onCompletion": "continue", "afterSeconds": 5}
    await client.post("/runs/batch", json=[item, {**item, "after_seconds": 1}])
    first, second = runtime.runs.created
    assert isinstance(first, RunCreateStateless)
    assert (first.stream_mode, first.on_completion, first.after_seconds) == ("updates", "keep", 5)
    assert second.after_seconds == 1
    refused = await client.post("/runs/batch", json=[{**item, "onCompletion": "burn"}])
    assert refused.status_code == 422


async def test_the_limit_counts_what_is_declared() -> None:
    runtime = FakeRuntime(settings={"body_limit": 1024})
    async with connected(runtime) as client:
        assert (await client.post("/runs", json={"assistant_id": "a", "input": "x" * 900})).status_code == 200
        response = await client.post("/runs", json={"assistant_id": "a", "input": "x" * 1000})
        assert response.status_code == 413
        assert "1024 bytes" in response.json()["detail"]


async def test_the_limit_counts_what_is_sent() -> None:
    runtime = FakeRuntime(settings={"body_limit": 1024})
    response = await exchange(runtime, "POST", "/runs", [b"x" * 600] * 1000)
    assert response.status == 413
    response = await exchange(runtime, "POST", "/runs", [b'{"assistant_', b'id": "a"}'])
    assert response.status == 200


async def test_a_body_that_is_cut_short(runtime: FakeRuntime) -> None:
    response = await exchange(runtime, "POST", "/runs", b'{"assistant_id"')
    assert response.status == 422
    assert runtime.runs.created == []


async def test_a_client_that_disconnects_before_its_body_is_complete(runtime: FakeRuntime) -> None:
    body = b'{"assistant_id": "a"}'
    response = await exchange(runtime, "POST", "/runs", body, more_follows=True, disconnect_after=0)
    assert response.messages == []
    assert runtime.runs.created == []
