"""Assistants through the stock client: configured, versioned, looked into, removed."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from tests.live_server import StartServer

pytestmark = pytest.mark.postgres


async def test_each_graph_has_an_assistant_of_its_own(client: LangGraphClient) -> None:
    (found,) = await client.assistants.search(graph_id="chain", metadata={"created_by": "system"})
    assert found["assistant_id"] == str(uuid.uuid5(uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8"), "chain"))
    assert (found["name"], found["version"], found["config"], found["context"]) == ("chain", 1, {}, {})
    assert await client.assistants.get(found["assistant_id"]) == found


async def test_an_assistant_is_a_graph_with_a_configuration(client: LangGraphClient) -> None:
    """What is configured once reaches the nodes of every run, and may be changed by each."""
    assistant = await client.assistants.create(
        "configured",
        name="careful",
        description="Thinks twice.",
        metadata={"k": "from the assistant"},
        config={"tags": ["careful"], "recursion_limit": 7},
        context={"model_name": "slow", "temperature": 0.1},
    )
    assert assistant["config"] == {
        "tags": ["careful"],
        "recursion_limit": 7,
        "configurable": {"model_name": "slow", "temperature": 0.1},
    }, "configurable and context are the same"
    assert await client.assistants.get(assistant["assistant_id"]) == assistant

    seen: Any = await client.runs.wait(
        None, assistant["assistant_id"], input={"seen": None}, context={"temperature": 0.9}
    )
    assert seen["seen"]["context"] == {"model_name": "slow", "temperature": 0.9}
    assert (seen["seen"]["recursion_limit"], seen["seen"]["tags"]) == (7, ["careful"])
    assert seen["seen"]["metadata"]["k"] == "from the assistant"
    assert seen["seen"]["ids"]["assistant_id"] == assistant["assistant_id"]


async def test_configurable_and_context_cannot_contradict_each_other(client: LangGraphClient) -> None:
    both: Any = {"config": {"configurable": {"a": 1}}, "context": {"a": 2}}
    with pytest.raises(BadRequestError, match="Cannot specify both"):
        await client.assistants.create("configured", **both)
    assistant = await client.assistants.create("configured", config={"configurable": {"a": 1}})
    assert assistant["context"] == {"a": 1}
    with pytest.raises(BadRequestError, match="Cannot specify both"):
        await client.assistants.update(assistant["assistant_id"], **both)
    assert (await client.assistants.get(assistant["assistant_id"]))["version"] == 1
    changed = await client.assistants.update(assistant["assistant_id"], context={"b": 2})
    assert changed["config"] == {"configurable": {"b": 2}}


async def test_the_same_assistant_is_not_created_twice(client: LangGraphClient) -> None:
    id_ = str(uuid.uuid4())
    first = await client.assistants.create("chain", assistant_id=id_, name="first")
    with pytest.raises(ConflictError, match=f"Assistant {id_} already exists"):
        await client.assistants.create("chain", assistant_id=id_, name="second")
    assert await client.assistants.create("echo", assistant_id=id_, if_exists="do_nothing") == first
    with pytest.raises(NotFoundError, match="Graph 'nope' not found"):
        await client.assistants.create("nope")
    with pytest.raises(UnprocessableEntityError):
        await client.assistants.create("chain", assistant_id="mine")


async def test_an_assistant_gets_better_and_then_goes_back(client: LangGraphClient) -> None:
    """Every change is a version; the one that runs use can be chosen."""
    assistant = await client.assistants.create(
        "configured", name="v1", metadata={"a": 1, "b": 1}, context={"model_name": "one"}
    )
    id_ = assistant["assistant_id"]

    async def model() -> Any:
        answer: Any = await client.runs.wait(None, id_, input={"seen": None})
        return answer["seen"]["context"]["model_name"]

    second = await client.assistants.update(
        id_, name="v2", metadata={"b": 2, "c": 3}, context={"model_name": "two"}, description="better"
    )
    assert (second["version"], second["name"], second["description"]) == (2, "v2", "better")
    assert second["metadata"] == {"a": 1, "b": 2, "c": 3}, "metadata is merged"
    assert second["created_at"] == assistant["created_at"]
    assert await model() == "two"

    first = await client.assistants.set_latest(id_, 1)
    assert (first["version"], first["name"], first["context"]) == (1, "v1", {"model_name": "one"})
    assert first["metadata"] == {"a": 1, "b": 1}
    assert await model() == "one"

    third = await client.assistants.update(id_, graph_id="chain")
    assert (third["version"], third["name"], third["graph_id"]) == (3, "v1", "chain")
    versions = await client.assistants.get_versions(id_)
    assert [(version["version"], version["name"]) for version in versions] == [(3, "v1"), (2, "v2"), (1, "v1")]
    assert [v["version"] for v in await client.assistants.get_versions(id_, limit=1, offset=1)] == [2]
    assert [v["version"] for v in await client.assistants.get_versions(id_, metadata={"c": 3})] == [2]
    with pytest.raises(NotFoundError, match=f"Version 9 not found for assistant {id_}"):
        await client.assistants.set_latest(id_, 9)


async def test_changes_at_the_same_time_all_count(client: LangGraphClient) -> None:
    id_ = (await client.assistants.create("chain"))["assistant_id"]
    await asyncio.gather(*(client.assistants.update(id_, metadata={f"k{n}": n}) for n in range(20)))
    after = await client.assistants.get(id_)
    assert after["metadata"] == {f"k{n}": n for n in range(20)}
    assert after["version"] == 21


async def test_assistants_are_found_by_what_they_are(client: LangGraphClient, tag: str) -> None:
    for number, graph in enumerate(("chain", "echo", "chain")):
        await client.assistants.create(graph, name=f"Number {number} {tag}", metadata={"tag": tag, "number": number})

    async def found(**asked: Any) -> list[int]:
        rows = await client.assistants.search(metadata={"tag": tag}, **asked)
        return [row["metadata"]["number"] for row in rows]

    assert await found() == [2, 1, 0], "the newest first"
    assert await found(graph_id="chain") == [2, 0]
    assert await found(name=f"NUMBER 1 {tag}") == [1], "part of the name, whatever its case"
    assert await found(sort_by="name", sort_order="asc") == [0, 1, 2]
    assert await found(limit=1, offset=1) == [1]
    page: Any = await client.assistants.search(metadata={"tag": tag}, limit=2, response_format="object")
    assert (len(page["assistants"]), page["next"]) == (2, "2")
    last: Any = await client.assistants.search(metadata={"tag": tag}, limit=2, offset=2, response_format="object")
    assert (len(last["assistants"]), last["next"]) == (1, None)
    rows: Any = await client.assistants.search(metadata={"tag": tag}, select=["name", "graph_id"], limit=1)
    assert rows == [{"name": f"Number 2 {tag}", "graph_id": "chain"}]
    assert await client.assistants.count(metadata={"tag": tag}) == 3
    assert await client.assistants.count(metadata={"tag": tag}, graph_id="echo") == 1
    assert await client.assistants.count(metadata={"tag": tag, "number": 5}) == 0


async def test_a_graph_is_drawn_flat_or_with_its_subgraphs(client: LangGraphClient) -> None:
    id_ = (await client.assistants.create("subgraphed"))["assistant_id"]
    flat: Any = await client.assistants.get_graph(id_)
    assert [node["id"] for node in flat["nodes"]] == ["__start__", "before", "child", "after", "__end__"]
    assert {"source": "before", "target": "child"} in flat["edges"]
    deep: Any = await client.assistants.get_graph(id_, xray=True)
    assert {node["id"] for node in deep["nodes"]} >= {"child:think", "child:confirm"}
    assert await client.assistants.get_graph(id_, xray=1) == deep
    assert await client.assistants.get_graph("subgraphed") == flat, "the graph's name will do"
    with pytest.raises(UnprocessableEntityError):
        await client.assistants.get_graph(id_, xray=0)


async def test_a_factory_is_drawn_as_the_assistant_configures_it(client: LangGraphClient) -> None:
    assistant = await client.assistants.create("factory", config={"configurable": {"flavour": "mint"}})
    drawn: Any = await client.assistants.get_graph(assistant["assistant_id"])
    assert "serve_mint" in {node["id"] for node in drawn["nodes"]}


async def test_a_graph_and_its_subgraphs_show_their_schemas(client: LangGraphClient) -> None:
    id_ = (await client.assistants.create("configured"))["assistant_id"]
    schemas: Any = await client.assistants.get_schemas(id_)
    assert schemas["graph_id"] == "configured"
    assert list(schemas["context_schema"]["properties"]) == ["model_name", "temperature"]
    assert schemas["config_schema"] == schemas["context_schema"]
    assert list(schemas["input_schema"]["properties"]) == ["seen"]
    assert schemas["output_schema"]["properties"].keys() == schemas["state_schema"]["properties"].keys()
    assert schemas["state_schema"]["title"] == "configured_state"

    id_ = (await client.assistants.create("subgraphed"))["assistant_id"]
    subgraphs: Any = await client.assistants.get_subgraphs(id_)
    assert list(subgraphs) == ["child"]
    assert set(subgraphs["child"]["state_schema"]["properties"]) == {"messages", "ask", "answer"}
    assert await client.assistants.get_subgraphs(id_, recurse=True) == subgraphs
    assert await client.assistants.get_subgraphs(id_, namespace="child") == subgraphs
    assert await client.assistants.get_subgraphs(id_, namespace="nobody") == {}


async def test_deleting_an_assistant_may_delete_its_threads(client: LangGraphClient) -> None:
    """Its threads stay, unless they are to go; running work of theirs is stopped."""
    kept = (await client.assistants.create("chain"))["assistant_id"]
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, kept, input={"n": 1})
    await client.assistants.delete(kept)
    with pytest.raises(NotFoundError):
        await client.assistants.get(kept)
    state: Any = await client.threads.get_state(thread)
    assert state["values"]["n"] == 112

    deleted = (await client.assistants.create("slow"))["assistant_id"]
    threads = [(await client.threads.create())["thread_id"] for _ in range(3)]
    runs = [await client.runs.create(thread, deleted, input={"steps": 200, "delay": 0.1}) for thread in threads]
    await client.assistants.delete(deleted, delete_threads=True)
    for thread, run in zip(threads, runs, strict=True):
        with pytest.raises(NotFoundError):
            await client.threads.get(thread)
        with pytest.raises(NotFoundError):
            await client.runs.get(thread, run["run_id"])
    with pytest.raises(NotFoundError, match=f"Assistant with ID {deleted} not found"):
        await client.assistants.delete(deleted, delete_threads=True)
    with pytest.raises(NotFoundError):
        await client.runs.create(None, deleted)


async def test_what_there_is_not_is_said_for_each_operation(client: LangGraphClient) -> None:
    nobody = str(uuid.uuid4())
    calls: list[Coroutine[Any, Any, Any]] = [
        client.assistants.get(nobody),
        client.assistants.get_graph(nobody),
        client.assistants.get_schemas(nobody),
        client.assistants.get_subgraphs(nobody),
        client.assistants.update(nobody, name="x"),
        client.assistants.get_versions(nobody),
        client.assistants.set_latest(nobody, 1),
        client.assistants.delete(nobody),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            await call


async def test_default_assistants_come_back_and_changes_of_them_stay(start_server: StartServer) -> None:
    server = start_server(args=("--workers", "0"))
    client = get_client(url=server.url, api_key=None)
    (chain,) = await client.assistants.search(graph_id="chain")
    (echo,) = await client.assistants.search(graph_id="echo")
    await client.assistants.update(chain["assistant_id"], name="mine", description="what I say")
    await client.assistants.delete(echo["assistant_id"])
    server.stop()

    client = get_client(url=server.start().url, api_key=None)
    (after,) = await client.assistants.search(graph_id="chain")
    assert (after["name"], after["description"], after["version"]) == ("mine", "what I say", 2)
    assert len(await client.assistants.search(graph_id="echo")) == 1


async def test_an_empty_name_is_none(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    created = (await http.post("/assistants", json={"graph_id": "chain", "name": ""})).json()
    assert created["name"] == "Untitled"
    path = f"/assistants/{created['assistant_id']}"
    assert (await http.patch(path, json={"name": "mine"})).json()["name"] == "mine"
    assert (await http.patch(path, json={"name": ""})).json()["name"] == "Untitled"
