"""The project's own encryption: nothing of what clients and graphs have given is found in the files, all of it in the
answers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer, poll
from tests.webhook_listener import WebhookListener

from .vault import SECRET, VAULT, client_of, first_value, stored, tenant, vault_server

BACKENDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.full)]


@pytest.fixture(scope="module", params=BACKENDS)
def vault(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with vault_server(tmp_path_factory.mktemp("vault") / "data", request.param) as server:
        yield server.start()


@pytest.fixture
async def client(vault: LiveServer) -> AsyncIterator[LangGraphClient]:
    async with client_of(vault, **tenant("acme")) as client:
        yield client


async def test_nothing_that_was_given_lies_in_the_files(vault: LiveServer, client: LangGraphClient) -> None:
    given: Any = {"metadata": {"owner": "ann", "note": f"{SECRET}note", "deep": {"in": [{"it": f"{SECRET}deep"}]}}}
    with closing(WebhookListener()) as listener:
        assistant = await client.assistants.create(
            "keeper", config={"configurable": {"hint": f"{SECRET}hint"}}, name="a keeper", **given
        )
        assistant_id = assistant["assistant_id"]
        changed = await client.assistants.update(assistant_id, metadata={"note": f"{SECRET}other"})
        assert changed["metadata"] == {**given["metadata"], "note": f"{SECRET}other"}
        assert changed["config"]["configurable"] == {"hint": f"{SECRET}hint"}
        thread = await client.threads.create(**given)
        thread_id = thread["thread_id"]
        assert thread["metadata"] == given["metadata"]

        values: Any = await client.runs.wait(
            thread_id,
            assistant_id,
            input={"secret": f"{SECRET}input"},
            webhook=f"{listener.url}?{SECRET}url",
            **given,
        )
        assert values["log"] == [f"{SECRET}input" * 20, f"{SECRET}input"]
        assert values["seen"] == f"{SECRET}hint"
        run: Any
        (run,) = await client.runs.list(thread_id)
        assert run["kwargs"]["input"] == {"secret": f"{SECRET}input"}
        assert run["kwargs"]["config"]["metadata"]["note"] == f"{SECRET}note"
        assert await client.runs.join(thread_id, run["run_id"]) == values
        told = await listener.receive()
        assert told["values"] == values
        assert told["kwargs"]["input"] == {"secret": f"{SECRET}input"}
        assert told["metadata"]["note"] == f"{SECRET}note"

        asked: Any = await client.runs.wait(thread_id, assistant_id, input={"secret": f"{SECRET}ask", "then": "ask"})
        assert asked["__interrupt__"][0]["value"] == {"question": f"{SECRET}ask"}
        assert (await client.threads.get(thread_id))["interrupts"]
        failed: Any = await client.runs.wait(
            thread_id, assistant_id, input={"secret": f"{SECRET}fail", "then": "fail"}, raise_error=False
        )
        assert f"{SECRET}fail" in failed["__error__"]["message"]
        await client.threads.update_state(thread_id, {"log": [f"{SECRET}edit"]}, as_node="keep")
        state: Any = await client.threads.get_state(thread_id)
        assert f"{SECRET}edit" in state["values"]["log"]
        assert len(await client.threads.get_history(thread_id)) > 5
        copy: Any = vault.post(f"/threads/{thread_id}/copy", {})
        assert copy["values"] == (await client.threads.get(thread_id))["values"]

        parts = [
            part
            async for part in client.runs.stream(
                thread_id,
                assistant_id,
                input={"secret": f"{SECRET}event"},
                stream_mode=["custom", "updates"],
                stream_resumable=True,
            )
        ]
        run_id = parts[0].data["run_id"]
        again = [part async for part in client.runs.join_stream(thread_id, run_id, last_event_id="-1")]
        assert [part.data for part in again if part.event == "custom"] == [{"said": f"{SECRET}event"}]

        await client.store.put_item(["by", "client"], "k", {"label": "plain", "secret": f"{SECRET}item"})
        assert (await client.store.get_item(["by", "client"], "k"))["value"]["secret"] == f"{SECRET}item"
        kept = (await client.store.search_items(["kept"]))["items"]
        assert all(item["value"]["secret"].startswith(SECRET) for item in kept)
        assert len(kept) == 4

        cron: Any = await client.crons.create(
            assistant_id, schedule="0 0 1 1 *", input={"secret": f"{SECRET}cron"}, **given
        )
        found = await client.crons.search(assistant_id=assistant_id)
        assert found[0]["payload"]["input"] == {"secret": f"{SECRET}cron"}
        changed_cron: Any = await client.crons.update(cron["cron_id"], input={"secret": f"{SECRET}later"})
        assert changed_cron["payload"]["input"] == {"secret": f"{SECRET}later"}

        given_up = await client.runs.create(thread_id, assistant_id, input={"secret": "x"}, after_seconds=3600)
        reason = {"action": "interrupt", "reason": f"{SECRET}reason"}
        stop = f"{vault.url}/threads/{thread_id}/runs/{given_up['run_id']}/cancel"
        assert vault.http.post(stop, params=reason).status_code < 300
        stopped: Any = await client.runs.get(thread_id, given_up["run_id"])
        assert stopped["cancel_reason"] == f"{SECRET}reason"
        await client.runs.create(thread_id, assistant_id, input={"secret": f"{SECRET}delayed"}, after_seconds=3600)
        vault_files = stored(vault)
    assert SECRET.encode() not in vault_files
    assert b'"owner":"ann"' in vault_files.replace(b'": "', b'":"')


async def test_results_of_a_batch_are_as_they_were_given(vault: LiveServer, client: LangGraphClient) -> None:
    items = [
        {
            "assistant_id": "keeper",
            "input": {"secret": f"{SECRET}{index}", "then": then},
            "metadata": {"custom_id": "x"},
        }
        for index, then in enumerate(("", "fail", ""))
    ]
    headers = {**tenant("acme", remote=True), "Idempotency-Key": "batch-1", "X-Batch-Metadata": '{"of": "SECRET-b"}'}
    made = vault.http.post(f"{vault.url}/runs/batch", json=items, headers=headers)
    assert made.status_code == 200, made.text
    batch_id = made.json()[0]["batch_id"]
    poll(lambda: vault.http.get(f"{vault.url}/batches/{batch_id}").json()["ended_at"])
    again = vault.http.post(f"{vault.url}/runs/batch", json=items, headers=headers)
    assert [run["kwargs"]["input"] for run in again.json()] == [item["input"] for item in items]
    lines = vault.http.get(f"{vault.url}/batches/{batch_id}/results").text.splitlines()
    results = {line["index"]: line for line in map(json.loads, lines)}
    assert results[0]["values"]["secret"] == f"{SECRET}0"
    assert f"{SECRET}1" in results[1]["error"]["message"]
    assert results[2]["custom_id"] == "x"
    retried = vault.http.post(f"{vault.url}/batches/{batch_id}/retry", json={}, headers=headers)
    assert retried.status_code == 200, retried.text
    assert SECRET.encode() not in stored(vault)


async def test_what_is_encrypted_cannot_be_searched_for(vault: LiveServer, client: LangGraphClient) -> None:
    await client.threads.create(metadata={"owner": "carl", "note": "x"})
    assert len(await client.threads.search(metadata={"owner": "carl"})) == 1
    for path, body, place in (
        ("/threads/search", {"metadata": {"note": "x"}}, "metadata.note"),
        ("/threads/count", {"metadata": {"note": "x"}}, "metadata.note"),
        ("/threads/search", {"values": {"secret": "x"}}, "values"),
        ("/assistants/search", {"metadata": {"note": "x"}}, "metadata.note"),
        ("/runs/crons/search", {"metadata": {"note": "x"}}, "metadata.note"),
        ("/store/items/search", {"filter": {"secret": {"$gt": "x"}}}, "filter.secret"),
    ):
        answer = vault.http.post(f"{vault.url}{path}", json=body, headers=tenant("acme"))
        assert (answer.status_code, place in answer.json()["detail"]) == (422, True), answer.text


async def test_a_handler_that_fails_is_named_and_loses_nothing(vault: LiveServer, client: LangGraphClient) -> None:
    thread = await client.threads.create(metadata={"note": f"{SECRET}kept"})
    broken = tenant("acme", broken="always")
    made = vault.http.post(f"{vault.url}/threads", json={"metadata": {"note": "x"}}, headers=broken)
    assert made.status_code == 503
    assert "@encryption.encrypt.json failed for thread.metadata with ValueError" in made.json()["detail"]
    assert SECRET not in made.text
    run = vault.http.post(
        f"{vault.url}/runs", json={"assistant_id": "keeper", "input": {"secret": "x"}}, headers=broken
    )
    assert run.status_code == 503
    assert (await client.threads.get(thread["thread_id"]))["metadata"] == {"note": f"{SECRET}kept"}


async def test_what_a_run_asks_its_server_for_is_encrypted_in_its_context(vault: LiveServer) -> None:
    async with client_of(vault, **tenant("inner")) as client:
        values: Any = await client.runs.wait(None, "asker", input={"secret": f"{SECRET}inner"}, on_completion="keep")
        assert values["log"][1] == f"{SECRET}inner"
    kept = first_value(vault, 'select count(*) from runs where kwargs like \'%"tenant":"inner"%\'')
    assert kept == 2


@pytest.mark.parametrize("header", ["not base64!", base64.b64encode(b"[1]").decode(), base64.b64encode(b"{").decode()])
def test_a_context_that_cannot_be_read_is_refused(vault: LiveServer, header: str) -> None:
    answer = vault.http.post(f"{vault.url}/threads", json={}, headers={"X-Encryption-Context": header})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("X-Encryption-Context: ")


def test_keys_that_mark_what_is_encrypted_are_refused(vault: LiveServer) -> None:
    forged = {"metadata": {"owner": {"__sealed__": {"context": {}, "value": "vault:x"}}}}
    assert vault.http.post(f"{vault.url}/threads", json=forged, headers=tenant("acme")).status_code == 422


@pytest.mark.full
async def test_the_context_is_that_of_who_asks(tmp_path: Path) -> None:
    """With everything in one process."""
    server = LiveServer(tmp_path / "data", config=VAULT / "guarded.json", args=("--workers", "0"))
    try:
        server.start()
        contexts = {}
        for name in ("acme", "other"):
            claims = base64.b64encode(json.dumps({"sub": f"ann of {name}", "tenant": name}).encode()).decode()
            async with client_of(server, Authorization=f"Bearer {claims}", **tenant("acme")) as client:
                thread = await client.threads.create(metadata={"note": f"{SECRET}note"})
                values: Any = await client.runs.wait(thread["thread_id"], "asker", input={"secret": f"{SECRET}{name}"})
                assert values["log"][1] == f"{SECRET}{name}"
                found = await client.threads.search(metadata={"tenant": name})
                assert thread["thread_id"] in [each["thread_id"] for each in found]
                state: Any = await client.threads.get_state(thread["thread_id"])
                assert state["values"] == values
            contexts[name] = stored(server).count(f'"tenant":"{name}"'.encode())
        assert contexts["other"] > 10
        assert SECRET.encode() not in stored(server)
    finally:
        server.close()
