"""Results of batches, and tries after errors, with the stock client on a live server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.gate import Gate

from .batch_lines import ended, lines_of, results_of, submit
from .batches import batch_payload

pytestmark = pytest.mark.postgres

AT_ONCE = {"initial_interval": 0}


def failing(**metadata: Any) -> dict[str, Any]:
    return {"assistant_id": "failing", "input": {}, "metadata": metadata}


async def batch_of(http: httpx.AsyncClient, batch_id: str) -> dict[str, Any]:
    response = await http.get(f"/batches/{batch_id}")
    response.raise_for_status()
    batch: dict[str, Any] = response.json()
    return batch


async def test_every_item_has_a_line_in_the_order_of_the_request(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    items: list[Any] = [
        {"assistant_id": "chain", "input": {"n": place}, "metadata": {"custom_id": f"line {place}"}}
        for place in range(30)
    ]
    found = await ended(http, await submit(client, items))
    assert [line["index"] for line in found] == [*range(30)]
    assert [line["custom_id"] for line in found] == [f"line {place}" for place in range(30)]
    assert [line["values"]["n"] for line in found] == [place + 111 for place in range(30)]
    assert {(line["status"], line["error"], line["attempts"], line["tries"]) for line in found} == {
        ("success", None, 1, 1)
    }


async def test_lines_of_runs_that_did_not_succeed_have_their_error(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    later = {"assistant_id": "chain", "input": {}, "after_seconds": 3600}
    asking = {"assistant_id": "interrupting", "input": {"text": "Go?"}}
    batch_id = await submit(client, [failing(custom_id=7), later, asking])
    while (await batch_of(http, batch_id))["progress"] < 0.6:
        pass
    await http.post(f"/batches/{batch_id}/cancel")
    bad, cancelled, paused = await results_of(http, batch_id)
    assert (bad["custom_id"], bad["status"], bad["values"]) == (7, "error", None)
    assert bad["error"] == {"error": "ValueError", "message": "boom from failing graph"}
    assert (cancelled["status"], cancelled["values"], cancelled["tries"]) == ("interrupted", None, 0)
    assert cancelled["error"]["error"] == "UserInterrupt"
    assert paused["status"] == "success"
    assert paused["values"]["__interrupt__"]


async def test_a_reader_goes_on_behind_a_line_and_asks_for_some_statuses(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    items = [*batch_payload("chain", [{"n": 1}] * 4), failing(), *batch_payload("chain", [{"n": 2}])]
    batch_id = await submit(client, items)
    await ended(http, batch_id)
    assert [line["index"] for line in await results_of(http, batch_id, after=2)] == [3, 4, 5]
    assert [line["index"] for line in await results_of(http, batch_id, status=["error", "timeout"])] == [4]
    assert await results_of(http, batch_id, after=5) == []


async def test_results_are_there_when_runs_and_threads_are_deleted(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    runs: list[Any] = await client.runs.create_batch(
        batch_payload("chain", [{"n": 1}, {"n": 2}, {"n": 3}], on_completion="keep")
    )
    batch_id = runs[0]["batch_id"]
    before = await ended(http, batch_id)
    await client.threads.delete(runs[0]["thread_id"])
    await client.runs.delete(runs[1]["thread_id"], runs[1]["run_id"])
    await client.runs.wait(runs[2]["thread_id"], "chain", input={"n": 1000})
    assert await results_of(http, batch_id) == before


async def test_a_follower_gets_lines_as_runs_end_until_the_batch_has(
    client: LangGraphClient, http: httpx.AsyncClient, gate: Gate
) -> None:
    held = {"assistant_id": "gated", "input": {"gate": str(gate.path)}}
    batch_id = await submit(client, [held, *batch_payload("chain", [{"n": 1}, {"n": 2}])])
    seen: list[int] = []
    async for line in lines_of(http, batch_id, follow=True):
        seen.append(line["index"])
        if len(seen) == 2:
            assert [each["index"] for each in await results_of(http, batch_id)] == [1, 2]
            gate.open()
    assert sorted(seen[:2]) == [1, 2]
    assert seen[2:] == [0]


async def test_a_follower_with_a_status_gets_only_those(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    batch_id = await submit(client, [*batch_payload("chain", [{"n": 1}] * 3), failing()])
    assert [line["index"] async for line in lines_of(http, batch_id, follow=True, status="error")] == [3]


async def test_there_are_no_results_of_a_batch_that_is_not_there(
    client: LangGraphClient, http: httpx.AsyncClient
) -> None:
    nowhere = "/batches/6b0d549b-6f03-475a-9600-a35a099950d8"
    batch_id = await submit(client, batch_payload("chain", [{"n": 1}]))
    await ended(http, batch_id)
    assert (await http.delete(f"/batches/{batch_id}")).status_code == 204
    for path in (nowhere, f"/batches/{batch_id}"):
        assert (await http.get(f"{path}/results")).status_code == 404
        assert (await http.get(f"{path}/results", params={"follow": True})).status_code == 404
        assert (await http.post(f"{path}/retry")).status_code == 404


# Tries after errors


def flaky(calls: Path, **state: Any) -> dict[str, Any]:
    return {"assistant_id": "flaky", "input": {"calls": str(calls), **state}}


async def test_a_run_that_fails_is_tried_again_where_it_stands(
    client: LangGraphClient, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    policy = json.dumps({**AT_ONCE, "tries": 3})
    items = [flaky(tmp_path / "a", fails=1), flaky(tmp_path / "b", fails=9), flaky(tmp_path / "c", error="ValueError")]
    healed, failed, refused = await ended(http, await submit(client, items, Retry=policy))
    assert (healed["status"], healed["attempts"], healed["tries"]) == ("success", 2, 2)
    assert healed["values"]["log"] == ["1 begin", "2 go on"]
    assert (failed["status"], failed["tries"], failed["error"]["message"]) == ("error", 3, "3 go on")
    assert (refused["status"], refused["tries"], refused["error"]["error"]) == ("error", 1, "ValueError")


async def test_a_policy_names_the_errors_after_which_runs_are_tried_again(
    client: LangGraphClient, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    policy = json.dumps({**AT_ONCE, "tries": 2, "errors": ["ValueError"]})
    batch_id = await submit(client, [flaky(tmp_path / "a", error="ValueError"), flaky(tmp_path / "b")], Retry=policy)
    assert [(line["status"], line["tries"]) for line in await ended(http, batch_id)] == [("success", 2), ("error", 1)]


async def test_who_joins_or_streams_a_run_waits_for_its_last_try(client: LangGraphClient, tmp_path: Path) -> None:
    policy = json.dumps({**AT_ONCE, "tries": 2})
    items: list[Any] = [
        {**flaky(tmp_path / "a"), "stream_mode": "updates", "stream_resumable": True},
        {**flaky(tmp_path / "b"), "on_completion": "keep"},
    ]
    runs = await client.runs.create_batch(items, headers={"X-Batch-Retry": policy})
    streamed, joined = runs
    answer: Any = await client.runs.join(joined["thread_id"], joined["run_id"])
    assert answer["log"] == ["1 begin", "2 go on"]
    stream = client.runs.join_stream(streamed["thread_id"], streamed["run_id"], last_event_id="-1")
    names = [part.event async for part in stream]
    assert "error" not in names
    assert names.count("updates") == 2


async def test_failed_items_are_retried_as_new_runs_of_the_batch(
    client: LangGraphClient, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    items = [{**flaky(tmp_path / "a"), "metadata": {"custom_id": "a"}}, *batch_payload("chain", [{"n": 1}])]
    batch_id = await submit(client, items)
    bad, good = await ended(http, batch_id)
    assert (await batch_of(http, batch_id))["status"] == "completed"
    response = await http.post(f"/batches/{batch_id}/retry")
    assert response.status_code == 200
    assert response.json()["counts"]["error"] == 0
    retried, same = await ended(http, batch_id)
    assert same == good
    assert (retried["status"], retried["custom_id"], retried["retry_of"]) == ("success", "a", bad["run_id"])
    assert retried["values"]["log"] == ["2 begin", "2 go on"]
    batch = await batch_of(http, batch_id)
    assert (batch["status"], batch["counts"]["success"], batch["counts"]["error"]) == ("completed", 2, 0)
    found = (await http.get(f"/batches/{batch_id}/runs")).json()
    assert [run["run_id"] for run in found] == [retried["run_id"], good["run_id"]]
    assert [run["retry_of"] for run in found] == [bad["run_id"], None]


async def test_nothing_is_retried_where_nothing_has_failed(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    batch_id = await submit(client, batch_payload("chain", [{"n": 1}]))
    before = await ended(http, batch_id)
    assert (await http.post(f"/batches/{batch_id}/retry")).json()["status"] == "completed"
    assert await results_of(http, batch_id) == before


async def test_a_follower_sees_the_result_of_a_retry(
    client: LangGraphClient, http: httpx.AsyncClient, gate: Gate, tmp_path: Path
) -> None:
    held = {"assistant_id": "gated", "input": {"gate": str(gate.path)}}
    batch_id = await submit(client, [flaky(tmp_path / "a"), held])
    seen: list[tuple[int, str]] = []
    async for line in lines_of(http, batch_id, follow=True):
        seen.append((line["index"], line["status"]))
        if len(seen) == 1:
            await http.post(f"/batches/{batch_id}/retry")
        if len(seen) == 2:
            gate.open()
    assert seen == [(0, "error"), (0, "success"), (1, "success")]


async def test_a_batch_sums_the_tokens_of_its_messages(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    chat = {"assistant_id": "spending", "input": {"messages": [{"role": "user", "content": "one two three"}]}}
    batch_id = await submit(client, [chat, chat, {**chat, "on_completion": "keep"}])
    await ended(http, batch_id)
    assert (await batch_of(http, batch_id))["tokens"] == {"input": 9, "output": 3, "cached": 6}
