"""What langgraph.json and the environment lay down for runs and threads, as clients and graphs see it."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer, poll
from tests.webhook_listener import WebhookListener

PROJECT = Path(__file__).parents[1] / "sample_projects" / "laid_down"
ENVIRONMENT = {
    "LANGGRAPH_CONFIG": json.dumps({"show": {"configurable": {"model": "small", "size": 1}, "recursion_limit": 7}}),
    "SAMPLE_HOOK_TOKEN": "s3cret",
    "SAMPLE_VARIABLE": "shell",
    "LANGSMITH_TRACING": "false",
}
SENT = {"X-Team": "a", "X-User-Id": "u", "X-User-Token": "t", "X-Other": "o"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("laid_down")
    shutil.copytree(PROJECT, folder / "project")
    (folder / "project" / ".env").write_text("SAMPLE_VARIABLE=file\nRUNYARD_WORKERS=7\n")
    config = folder / "project" / "langgraph.json"
    server = LiveServer(folder / "data", config=config, args=("--workers", "1"), env=ENVIRONMENT)
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def client(server: LiveServer) -> LangGraphClient:
    return get_client(url=server.url, api_key=None, headers=SENT)


async def test_a_run_starts_from_the_projects_config_and_has_the_requests_headers(client: LangGraphClient) -> None:
    shown: Any = await client.runs.wait(None, "show", input={}, config={"configurable": {"size": 2}, "tags": ["t"]})
    assert shown["values"] == {"model": "small", "size": 2, "x-team": "a", "x-user-id": "u"}
    assert (shown["recursion_limit"], shown["tags"]) == (7, ["t"])
    assert shown["variable"] == "file", "for graphs, the file wins"


async def test_an_assistant_says_more_than_the_projects_config(client: LangGraphClient) -> None:
    own: Any = {"configurable": {"model": "large"}, "recursion_limit": 9}
    assistant = await client.assistants.create("show", config=own)
    assert assistant["config"] == own, "what it was given is shown as it is"
    shown: Any = await client.runs.wait(None, assistant["assistant_id"], input={})
    assert (shown["values"]["model"], shown["values"]["size"], shown["recursion_limit"]) == ("large", 1, 9)


async def test_headers_of_a_batch_and_of_a_run_on_a_thread(client: LangGraphClient) -> None:
    thread_id = (await client.threads.create())["thread_id"]
    shown: Any = await client.runs.wait(thread_id, "show", input={}, config={"configurable": {"x-team": "b"}})
    assert shown["values"]["x-team"] == "a", "a body does not win over a header"
    payloads: Any = [{"assistant_id": "show", "input": {}}]
    runs: Any = await client.runs.create_batch(payloads)
    configurable = runs[0]["kwargs"]["config"]["configurable"]
    assert {key for key in configurable if key.startswith("x-")} == {"x-team", "x-user-id"}


async def test_threads_live_as_long_as_the_project_says(client: LangGraphClient, server: LiveServer) -> None:
    def lifetime(thread_id: str) -> Any:
        return server.get(f"/threads/{thread_id}?include=ttl").get("ttl")

    made = (await client.threads.create())["thread_id"]
    own = (await client.threads.create(ttl={"ttl": 5, "strategy": "keep_latest"}))["thread_id"]
    copied = server.http.post(f"{server.url}/threads/{own}/copy").json()["thread_id"]
    by_run = str(uuid.uuid4())
    await client.runs.wait(by_run, "show", input={}, if_not_exists="create")
    kept = (await client.runs.create(None, "show", input={}, on_completion="keep"))["thread_id"]
    for thread_id in (made, copied, by_run, kept):
        assert (lifetime(thread_id)["strategy"], lifetime(thread_id)["ttl_minutes"]) == ("delete", 600)
    assert (lifetime(own)["strategy"], lifetime(own)["ttl_minutes"]) == ("keep_latest", 5)


async def test_a_thread_goes_when_its_time_is_over(client: LangGraphClient, server: LiveServer) -> None:
    thread_id = (await client.threads.create(ttl={"ttl": 0.01, "strategy": "delete"}))["thread_id"]
    poll(lambda: server.http.get(f"{server.url}/threads/{thread_id}").status_code == 404)


async def test_webhooks_have_the_projects_headers_and_hosts(client: LangGraphClient, server: LiveServer) -> None:
    listener = WebhookListener()
    try:
        await client.runs.wait(None, "show", input={}, webhook=listener.url)
        await listener.receive()
        assert listener.headers[-1]["authorization"] == "Bearer s3cret"
    finally:
        listener.close()
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        await client.runs.wait(None, "show", input={}, webhook="https://example.com/hook")
    assert "s3cret" not in server.log.read_text()


def test_what_is_disabled_is_not_found(server: LiveServer) -> None:
    for path in ("/info", "/metrics", "/docs", "/openapi.json", "/store/items"):
        assert server.http.get(f"{server.url}{path}").status_code == 404, path
    assert server.get("/ok?check_db=1")["ok"] is True


def test_a_graph_that_is_not_served_says_why(server: LiveServer) -> None:
    response = server.http.post(f"{server.url}/runs/wait", json={"assistant_id": "scripted"})
    assert response.status_code == 422
    assert "graphs in JavaScript and TypeScript are not supported" in response.json()["detail"]


def test_the_start_names_what_it_leaves_out(server: LiveServer) -> None:
    said = server.log.read_text()
    assert "graphs.scripted is not served" in said
    assert "python_version 3.99 is asked for" in said


def test_ids_are_taken_in_every_spelling_and_answered_in_one(server: LiveServer) -> None:
    thread_id = uuid.uuid4()
    thread = server.post("/threads/", {"thread_id": thread_id.hex})
    assert thread["thread_id"] == str(thread_id)
    run = server.post(f"/threads/{thread_id.hex}/runs/", {"assistant_id": "show", "input": {}})
    assert run["thread_id"] == str(thread_id)
    assert server.get(f"/threads/{{{thread_id}}}/runs/urn:uuid:{run['run_id'].upper()}")["run_id"] == run["run_id"]
