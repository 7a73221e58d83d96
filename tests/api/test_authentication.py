"""A project's own authentication, with the stock client against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer

PROJECT = Path(__file__).parents[1] / "sample_projects" / "token_table" / "langgraph.json"
FORGED = {
    "langgraph_auth_user": {"identity": "root"},
    "langgraph_auth_user_id": "root",
    "langgraph_auth_permissions": ["all"],
    "user_id": "root",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("auth") / "data", config=PROJECT, args=("--workers", "1"))
    yield server.start()
    server.close()


def client_of(server: LiveServer, name: str) -> LangGraphClient:
    return get_client(url=server.url, headers={"authorization": f"Bearer token-of-{name}"})


async def test_who_is_not_known_is_refused(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        assert (await http.get("/ok")).status_code == 200
        for headers in ({}, {"authorization": "Bearer guess"}):
            answer = await http.post("/runs/wait", json={"assistant_id": "seen"}, headers=headers)
            assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid token"})
            assert answer.headers["www-authenticate"] == "Bearer"
        answer = await http.get("/metrics", headers={"authorization": "Bearer broken"})
        assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})
    log = server.log.read_text()
    assert "denied: POST /runs/wait from 127.0.0.1: 401 Invalid token" in log
    assert "RuntimeError: the table has no place for [redacted]" in log
    assert "guess" not in log


async def test_nodes_see_the_user_whatever_a_client_says(server: LiveServer) -> None:
    ann, bob = client_of(server, "ann"), client_of(server, "bob")
    values: Any = await ann.runs.wait(None, "seen", input={}, config={"configurable": FORGED})
    table = {"identity": "ann", "display_name": "ann", "is_authenticated": True, "github_token": "gh-ann"}
    permissions = ["threads:read", "threads:write"]
    assert values["seen"] == {
        "langgraph_auth_user": {**table, "permissions": permissions},
        "langgraph_auth_user_id": "ann",
        "langgraph_auth_permissions": permissions,
        "user_id": "ann",
        "attributes": ["ann", "ann", permissions],
        "of_the_server": "ann",
        "context": {"user_id": "ann"},
    }
    values = await bob.runs.wait(None, "seen", input={}, context={"user_id": "root", "city": "Bern"})
    assert values["seen"]["attributes"] == ["bob", "Bob", []]
    assert values["seen"]["context"] == {"user_id": "bob", "city": "Bern"}


async def test_what_authentication_says_of_a_user_is_only_shown_to_the_code_of_graphs(server: LiveServer) -> None:
    ann = client_of(server, "ann")
    thread = await ann.threads.create()
    shown: list[Any] = [
        part
        async for part in ann.runs.stream(thread["thread_id"], "asking", input={}, stream_mode=["checkpoints", "debug"])
    ]
    (run,) = await ann.runs.list(thread["thread_id"])
    shown += [run, await ann.threads.get_history(thread["thread_id"]), await ann.threads.get(thread["thread_id"])]
    assert "'langgraph_auth_user': {'identity': 'ann'}" in str(shown)
    assert "gh-ann" not in str(shown)


async def test_who_answers_an_interrupt_is_who_the_graph_runs_for(server: LiveServer) -> None:
    ann, bob = client_of(server, "ann"), client_of(server, "bob")
    thread = (await ann.threads.create())["thread_id"]
    await ann.runs.wait(thread, "asking", input={})
    values: Any = await bob.runs.wait(thread, "asking", command={"resume": "me"})
    assert values["answer"] == ["me", "bob"]


async def test_factories_know_who_has_a_graph_made(server: LiveServer) -> None:
    ann, bob = client_of(server, "ann"), client_of(server, "bob")
    thread = (await ann.threads.create())["thread_id"]
    values: Any = await ann.runs.wait(thread, "made", input={})
    assert values["seen"] == ["ann", "threads.create_run"]
    drawn = await bob.assistants.get_graph("made")
    assert "of_bob" in [node["id"] for node in drawn["nodes"]]
    assert (await ann.threads.get_state(thread))["values"] == values
    await ann.threads.update_state(thread, {"answer": 1}, as_node="of_ann")


async def test_a_restart_forgets_nobody(server: LiveServer) -> None:
    ann = client_of(server, "ann")
    run = await ann.runs.create(None, "seen", input={}, after_seconds=1, on_completion="keep")
    assert await asyncio.to_thread(server.stop) == 0
    await asyncio.to_thread(server.start)
    ann = client_of(server, "ann")
    values: Any = await ann.runs.join(run["thread_id"], run["run_id"])
    assert values["seen"]["langgraph_auth_user"]["github_token"] == "gh-ann"
