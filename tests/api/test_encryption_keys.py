"""The keys of a project's encryption are changed, or lost: the data stay, and answers name what is missing."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from tests.live_server import RUNYARD, LiveServer, poll
from tests.storage.postgres_server import address, schema_of

from .vault import VAULT, client_of, first_value, in_files, tenant, vault_server


def serve_plain(server: LiveServer) -> subprocess.CompletedProcess[str]:
    """What comes of a start without the encryption."""
    command: list[str | Path] = [
        RUNYARD,
        "serve",
        "--config",
        VAULT / "plain.json",
        "--data",
        server.data,
        "--port",
        "0",
    ]
    if not in_files(server):
        command += ["--database", address(), "--database-schema", schema_of(server.data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


async def input_of_run(client: LangGraphClient, thread_id: str) -> Any:
    """What the latest run was given."""
    run: Any = (await client.runs.list(thread_id))[0]
    return run["kwargs"]["input"]


def run_status(server: LiveServer, run: Any) -> str:
    """That of a run whose input nobody can read; it is no secret."""
    return str(first_value(server, f"select status from runs where run_id = '{run['run_id']}'"))


@pytest.mark.full
@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
async def test_keys_are_changed_while_the_data_stay(tmp_path: Path, backend: str) -> None:
    """It begins without encryption, and goes through two keys."""
    with vault_server(tmp_path / "data", backend, config="plain.json") as server:
        server.start()
        async with client_of(server) as client:
            early = await client.threads.create(metadata={"note": "early"})
            await client.runs.wait(early["thread_id"], "keeper", input={"secret": "early"})
        server.stop()
        server.use(VAULT / "langgraph.json")
        server.start(env={"VAULT_KEYS": "one"})
        async with client_of(server, **tenant("acme")) as client:
            found: Any = await client.threads.get(early["thread_id"])
            assert (found["metadata"]["note"], found["values"]["secret"]) == ("early", "early")
            thread = await client.threads.create(metadata={"note": "secret note"})
            thread_id = thread["thread_id"]
            values: Any = await client.runs.wait(thread_id, "keeper", input={"secret": "x"})
            history = await client.threads.get_history(thread_id)
            await client.store.put_item(["a"], "k", {"secret": "item"})
        server.stop()

        refused = await asyncio.to_thread(serve_plain, server)
        assert refused.returncode == 2
        assert "is encrypted, and langgraph.json names no encryption" in refused.stderr

        server.start(env={"VAULT_KEYS": "two,one"})
        async with client_of(server) as client:
            assert (await client.threads.get(thread_id))["values"] == values
            assert await client.threads.get_history(thread_id) == history
            assert await input_of_run(client, thread_id) == {"secret": "x"}
            assert (await client.store.get_item(["a"], "k"))["value"] == {"secret": "item"}
        server.stop()
        server.start(env={"VAULT_KEYS": "two"})
        async with client_of(server) as client:
            found = await client.threads.get(thread_id)
            assert (found["values"], found["metadata"]["note"]) == (values, "secret note")
            assert await client.threads.get_history(thread_id) == history
            assert await input_of_run(client, thread_id) == {"secret": "x"}
            assert (await client.store.get_item(["a"], "k"))["value"] == {"secret": "item"}
            more: Any = await client.runs.wait(thread_id, "keeper", input={"secret": "y"})
            assert len(more["log"]) == 4


@pytest.mark.full
async def test_without_the_key_answers_name_the_handler_and_nothing_is_lost(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data", config=VAULT / "langgraph.json")
    try:
        server.start(env={"VAULT_KEYS": "one"})
        async with client_of(server, **tenant("acme")) as client:
            thread = await client.threads.create(metadata={"note": "x"})
            thread_id = thread["thread_id"]
            parts = [
                part
                async for part in client.runs.stream(thread_id, "keeper", input={"secret": "s"}, stream_resumable=True)
            ]
            run_id = parts[0].data["run_id"]
            await client.store.put_item(["a"], "k", {"secret": "item"})
            cron: Any = await client.crons.create("keeper", schedule="0 0 1 1 *", input={"secret": "c"})
        made = server.http.post(f"{server.url}/runs/batch", json=[{"assistant_id": "keeper", "input": {"secret": "s"}}])
        batch_id = made.json()[0]["batch_id"]
        server.await_idle()
        late = {"assistant_id": "keeper", "input": {"secret": "d"}, "after_seconds": 10}
        delayed = server.post(f"/threads/{thread_id}/runs", late)
        server.stop()

        server.start(env={"VAULT_KEYS": "two"})
        http = server.http
        for method, path, body in (
            ("GET", f"/threads/{thread_id}", None),
            ("GET", f"/threads/{thread_id}/state", None),
            ("GET", f"/threads/{thread_id}/history", None),
            ("GET", f"/threads/{thread_id}/runs", None),
            ("GET", f"/threads/{thread_id}/runs/{run_id}", None),
            ("POST", "/threads/search", {}),
            ("POST", f"/threads/{thread_id}/copy", {}),
            ("GET", "/store/items?namespace=a&key=k", None),
            ("POST", "/runs/crons/search", {}),
            ("PATCH", f"/runs/crons/{cron['cron_id']}", {"input": {}}),
            ("GET", f"/batches/{batch_id}/results", None),
        ):
            answer = http.request(method, f"{server.url}{path}", json=body)
            assert answer.status_code == 503, (method, path, answer.text)
            assert "@encryption.decrypt." in answer.json()["detail"], (method, path, answer.text)
        joined = http.get(f"{server.url}/threads/{thread_id}/runs/{run_id}/join").json()
        assert joined["__error__"]["error"] == "EncryptionFailed"
        stream = http.get(f"{server.url}/threads/{thread_id}/runs/{run_id}/stream", headers={"Last-Event-ID": "-1"})
        assert "@encryption.decrypt.blob" in stream.text, (stream.status_code, stream.text)
        poll(lambda: run_status(server, delayed) == "error")
        server.stop()

        server.start(env={"VAULT_KEYS": "one,two"})  # the failed run has ended under the other
        async with client_of(server) as client:
            found: Any = await client.threads.get(thread_id)
            assert found["metadata"]["note"] == "x"
            assert await input_of_run(client, thread_id) == {"secret": "d"}
            assert len(await client.threads.get_history(thread_id)) > 2
            assert (await client.crons.search())[0]["payload"]["input"] == {"secret": "c"}
    finally:
        server.close()
