"""Requests with an `Idempotency-Key` that come again: the answer of the first, and nothing is made twice."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import UnprocessableEntityError

from tests.gate import Gate

from .waiting import wait_until

pytestmark = pytest.mark.postgres(always=True, cluster=True)

REPLAYED = "idempotency-replayed"


@pytest.fixture
def key() -> dict[str, str]:
    """The header with a key that nobody has used."""
    return {"Idempotency-Key": str(uuid.uuid4())}


def again(first: httpx.Response, second: httpx.Response) -> bool:
    """Whether the second answer is the first one, and says so."""
    names = ("content-location", "location", "content-type", "x-batch-id")
    shown = [(each.status_code, each.content, [each.headers.get(name) for name in names]) for each in (first, second)]
    assert shown[0] == shown[1]
    assert REPLAYED not in first.headers
    return bool(second.headers.get(REPLAYED) == "true")


async def runs_tagged(client: LangGraphClient, tag: str) -> int:
    return len(await client.threads.search(metadata={"tag": tag}, limit=1000))


def tagged(tag: str, **more: Any) -> dict[str, Any]:
    return {
        "assistant_id": "chain",
        "input": {"n": 1},
        "metadata": {"tag": tag},
        "on_completion": "keep",
        "config": {"configurable": {"colour": "green"}, "tags": ["a"]},
        **more,
    }


async def test_a_batch_that_comes_again_is_the_same_batch(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str, key: dict[str, str]
) -> None:
    items = [tagged(tag, input={"n": number}) for number in range(300)]
    items[7]["command"] = {"update": {"n": 5}, "goto": "b"}
    first = await http.post("/runs/batch", json=items, headers=key)
    await client.runs.join(first.json()[0]["thread_id"], first.json()[0]["run_id"])
    second = await http.post("/runs/batch", json=items, headers=key)
    assert again(first, second)
    assert await runs_tagged(client, tag) == 300


async def test_the_stock_client_repeats_what_it_has_sent(
    client: LangGraphClient, key: dict[str, str], thread: str
) -> None:
    first: Any = await client.runs.create(thread, "chain", input={"n": 1}, headers=key)
    second: Any = await client.runs.create(thread, "chain", input={"n": 1}, headers=key)
    assert second == first
    assert [run["run_id"] for run in await client.runs.list(thread)] == [first["run_id"]]
    with pytest.raises(UnprocessableEntityError, match="used for another request"):
        await client.runs.create(thread, "chain", input={"n": 2}, headers=key)


async def test_a_run_that_comes_again_is_the_same_also_when_it_is_gone(
    http: httpx.AsyncClient, tag: str, key: dict[str, str]
) -> None:
    first = await http.post("/runs", json=tagged(tag), headers=key)
    run = first.json()
    assert again(first, await http.post("/runs", json=tagged(tag), headers=key))
    deleted = await http.delete(f"/threads/{run['thread_id']}")
    assert deleted.status_code == 204
    assert again(first, await http.post("/runs", json=tagged(tag), headers=key))


async def test_how_the_json_was_written_does_not_matter(http: httpx.AsyncClient, tag: str, key: dict[str, str]) -> None:
    first = await http.post("/runs", json=tagged(tag), headers=key)
    other_way = dict(reversed(tagged(tag).items()))
    quoted = {"Idempotency-Key": f'"{key["Idempotency-Key"]}"'}
    assert again(first, await http.post("/runs", json=other_way, headers=quoted))


async def test_another_request_with_the_key_is_refused(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str, key: dict[str, str], thread: str
) -> None:
    await http.post("/runs", json=tagged(tag), headers=key)
    for path, body in [
        ("/runs", tagged(tag, input={"n": 2})),
        ("/runs/wait", tagged(tag)),
        ("/runs/batch", [tagged(tag)]),
        ("/threads", {}),
        (f"/threads/{thread}/copy", {}),
        (f"/threads/{thread}/runs", {"assistant_id": "chain"}),
    ]:
        refused = await http.post(path, json=body, headers=key)
        assert refused.status_code == 422, path
        assert "Idempotency-Key: this key was used for another request" in refused.json()["detail"]
    assert await runs_tagged(client, tag) == 1


async def test_what_headers_ask_for_a_batch_is_part_of_the_request(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str, key: dict[str, str]
) -> None:
    asked = {**key, "X-Batch-Name": "spring", "X-Batch-Metadata": '{"a":1,"b":2}', "X-Batch-Start-Within": "60"}
    first = await http.post("/runs/batch", json=[tagged(tag)], headers=asked)
    same = {**asked, "X-Batch-Metadata": '{"b": 2, "a": 1}', "X-Batch-Start-Within": "60.0"}
    assert again(first, await http.post("/runs/batch", json=[tagged(tag)], headers=same))
    for other in (key, {**asked, "X-Batch-Name": "summer"}, {**asked, "X-Batch-Max-Concurrency": "2"}):
        refused = await http.post("/runs/batch", json=[tagged(tag)], headers=other)
        assert refused.status_code == 422, other
        assert "X-Batch headers differ" in refused.json()["detail"]
    assert await runs_tagged(client, tag) == 1


async def test_a_request_that_was_refused_has_not_used_its_key(
    http: httpx.AsyncClient, tag: str, key: dict[str, str]
) -> None:
    for wrong in ({"assistant_id": "nobody"}, {"assistant_id": 3}):
        assert (await http.post("/runs", json=wrong, headers=key)).status_code in (404, 422)
    accepted = await http.post("/runs", json=tagged(tag), headers=key)
    assert accepted.status_code == 200
    assert REPLAYED not in accepted.headers


@pytest.mark.parametrize("wrong", ["", "x" * 256, "a b", '"', 'a"b', "a\\b", '"a', "ä"])
async def test_what_is_no_key_is_refused(http: httpx.AsyncClient, tag: str, wrong: str) -> None:
    headers = {b"Idempotency-Key": wrong.encode("latin-1")}
    refused = await http.post("/runs", json=tagged(tag), headers=headers)
    assert refused.status_code == 422
    assert "Idempotency-Key" in refused.json()["detail"]


async def test_of_requests_that_come_at_once_one_is_carried_out(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str, key: dict[str, str]
) -> None:
    items = [tagged(tag) for _ in range(50)]
    answers = await asyncio.gather(*(http.post("/runs/batch", json=items, headers=key) for _ in range(8)))
    accepted = [answer for answer in answers if answer.status_code == 200]
    assert len([answer for answer in accepted if REPLAYED not in answer.headers]) == 1
    assert len({answer.content for answer in accepted}) == 1
    for answer in answers:
        if answer.status_code != 200:
            assert answer.status_code == 409
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["detail"].startswith("Idempotency-Key: ")
    assert await runs_tagged(client, tag) == 50


async def test_a_wait_that_comes_again_waits_for_the_first_run(
    http: httpx.AsyncClient, client: LangGraphClient, thread: str, key: dict[str, str], gate: Gate
) -> None:
    body = {"assistant_id": "gated", "input": gate.input()}
    path = f"/threads/{thread}/runs/wait"
    first = asyncio.create_task(http.post(path, json=body, headers=key))
    await wait_until(lambda: client.runs.list(thread), bool)
    second = asyncio.create_task(http.post(path, json=body, headers=key))
    gate.open()
    answers = [*await asyncio.gather(first, second), await http.post(path, json=body, headers=key)]
    assert [answer.json()["log"] for answer in answers] == [answers[0].json()["log"]] * 3
    assert [answer.headers.get(REPLAYED) for answer in answers] == [None, "true", "true"]
    assert len({answer.headers["content-location"] for answer in answers}) == 1
    assert len(await client.runs.list(thread)) == 1


async def test_a_stateless_wait_that_comes_again_has_the_result_of_the_first(
    http: httpx.AsyncClient, tag: str, key: dict[str, str]
) -> None:
    body = {"assistant_id": "chain", "input": {"n": 1}}
    first = await http.post("/runs/wait", json=body, headers=key)
    assert again(first, await http.post("/runs/wait", json=body, headers=key))


async def test_a_stream_that_comes_again_is_that_of_the_first_run(
    http: httpx.AsyncClient, client: LangGraphClient, thread: str, key: dict[str, str]
) -> None:
    body = {"assistant_id": "chain", "input": {"n": 1}, "stream_mode": ["updates"], "stream_resumable": True}
    path = f"/threads/{thread}/runs/stream"
    first = await http.post(path, json=body, headers=key)
    second = await http.post(path, json=body, headers=key)
    assert "event: updates" in first.text
    assert again(first, second)
    assert len(await client.runs.list(thread)) == 1


async def test_a_stream_of_which_nothing_is_kept_ends_with_its_run(
    http: httpx.AsyncClient, client: LangGraphClient, thread: str, key: dict[str, str]
) -> None:
    body = {"assistant_id": "chain", "input": {"n": 1}, "stream_mode": ["updates"]}
    path = f"/threads/{thread}/runs/stream"
    first = await http.post(path, json=body, headers=key)
    second = await http.post(path, json=body, headers=key)
    assert second.status_code == 200
    assert second.headers[REPLAYED] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert "event: updates" not in second.text
    assert len(await client.runs.list(thread)) == 1


async def test_a_thread_that_comes_again_is_the_same_thread(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str, key: dict[str, str]
) -> None:
    body = {"metadata": {"tag": tag}, "ttl": {"ttl": 5, "strategy": "delete"}}
    first = await http.post("/threads", json=body, headers=key)
    assert again(first, await http.post("/threads", json=body, headers=key))
    assert await runs_tagged(client, tag) == 1


async def test_a_thread_with_a_first_state_comes_again_with_its_state(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str, key: dict[str, str]
) -> None:
    body = {
        "metadata": {"tag": tag, "graph_id": "chain"},
        "supersteps": [{"updates": [{"values": {"n": 3}, "as_node": "__start__"}]}],
    }
    first = await http.post("/threads", json=body, headers=key)
    assert first.json()["values"]["n"] == 3
    assert again(first, await http.post("/threads", json=body, headers=key))
    assert await runs_tagged(client, tag) == 1


async def test_a_thread_that_was_there_comes_again_as_it_was(
    http: httpx.AsyncClient, client: LangGraphClient, thread: str, key: dict[str, str]
) -> None:
    superstep = {"updates": [{"values": {"n": 3}, "as_node": "__start__"}]}
    body = {"thread_id": thread, "if_exists": "do_nothing", "metadata": {"graph_id": "chain"}}
    for more, header in (({}, key), ({"supersteps": [superstep]}, {"Idempotency-Key": str(uuid.uuid4())})):
        first = await http.post("/threads", json=body | more, headers=header)
        assert again(first, await http.post("/threads", json=body | more, headers=header))


async def test_a_copy_that_comes_again_is_the_same_copy(
    http: httpx.AsyncClient, client: LangGraphClient, tag: str, key: dict[str, str]
) -> None:
    thread = (await client.threads.create(metadata={"tag": tag}))["thread_id"]
    await client.runs.wait(thread, "chain", input={"n": 1})
    first = await http.post(f"/threads/{thread}/copy", headers=key)
    assert first.json()["values"]["n"] == 112
    assert again(first, await http.post(f"/threads/{thread}/copy", headers=key))
    assert await runs_tagged(client, tag) == 2


@pytest.mark.parametrize("path", ["/runs/crons", "/threads/{thread}/runs/crons"])
async def test_a_cron_that_comes_again_is_the_same_cron(
    http: httpx.AsyncClient, thread: str, tag: str, key: dict[str, str], path: str
) -> None:
    path = path.format(thread=thread)
    body = {
        "assistant_id": "chain",
        "schedule": "0 0 1 1 *",
        "input": {"secret": 1},
        "config": {"configurable": {"colour": "green"}},
        "metadata": {"tag": tag},
    }
    first = await http.post(path, json=body, headers=key)
    try:
        assert again(first, await http.post(path, json=body, headers=key))
        found = await http.post("/runs/crons/search", json={"metadata": {"tag": tag}})
        assert [cron["cron_id"] for cron in found.json()] == [first.json()["cron_id"]]
        refused = await http.post(path, json={**body, "schedule": "0 0 2 1 *"}, headers=key)
        assert refused.status_code == 422
    finally:
        await http.delete(f"/runs/crons/{first.json()['cron_id']}")
    assert again(first, await http.post(path, json=body, headers=key))


async def test_of_crons_that_are_asked_for_at_once_one_is_made(
    http: httpx.AsyncClient, tag: str, key: dict[str, str]
) -> None:
    body = {"assistant_id": "chain", "schedule": "0 0 1 1 *", "metadata": {"tag": tag}}
    answers = await asyncio.gather(*(http.post("/runs/crons", json=body, headers=key) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    found = (await http.post("/runs/crons/search", json={"metadata": {"tag": tag}})).json()
    for cron in found:
        await http.delete(f"/runs/crons/{cron['cron_id']}")
    assert len(found) == 1
