"""Runs without a thread of the client's: what the request says reaches the graph."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError

from runyard.runtime.config.assistant_ids import default_assistant_id

from .ended_runs import run_and_keep

pytestmark = pytest.mark.postgres(cluster=True)

# Assistants


async def test_each_graph_has_an_assistant_named_by_a_stable_id(client: LangGraphClient) -> None:
    (found,) = await client.assistants.search(graph_id="chain", metadata={"created_by": "system"})

    assert found["assistant_id"] == default_assistant_id("chain")
    assert await client.assistants.get(found["assistant_id"]) == found
    answer: Any = await client.runs.wait(None, found["assistant_id"], input={"n": 1})
    assert answer["n"] == 112


@pytest.mark.parametrize(
    ("graph", "out"),
    [("factory", "flavour=hot"), ("async_factory", "flavour=async"), ("lent", "flavour=hot")],
)
async def test_factories_make_the_graph_from_the_config_of_the_run(
    client: LangGraphClient, graph: str, out: str
) -> None:
    answer = await client.runs.wait(None, graph, input={}, config={"configurable": {"flavour": "hot"}})

    assert answer == {"out": out}


async def test_a_graph_reads_and_writes_the_store(client: LangGraphClient, tag: str) -> None:
    first: Any = await client.runs.wait(None, "storeful", input={"key": tag, "value": {"x": 1}})
    second: Any = await client.runs.wait(None, "storeful", input={"key": tag})

    assert first["read"] == {"before": None, "after": {"x": 1}}
    assert second["read"] == {"before": {"x": 1}, "after": {"x": 1}}


# Input and command


@pytest.mark.parametrize("value", [21, 1.5, True, False, [1, [2], None], {"a": {"b": []}}, [], {}])
async def test_input_of_every_json_type_reaches_the_graph(client: LangGraphClient, value: Any) -> None:
    assert await client.runs.wait(None, "shout", input=value) == {"got": value}


async def test_text_as_input_reaches_the_graph_unchanged(client: LangGraphClient) -> None:
    text: Any = "żółć 🦜 \u2028\"\\'"
    answer: Any = await client.runs.wait(None, "shout", input=text)
    assert answer == "ŻÓŁĆ 🦜 \u2028\"\\'"


@pytest.mark.parametrize("number", [2**53 + 1, -(2**63), 2**64 - 1, 1e-9, 1.7976931348623157e308])
async def test_numbers_come_back_exactly(client: LangGraphClient, number: float) -> None:
    assert await client.runs.wait(None, "shout", input={"number": number}) == {"got": {"number": number}}


@pytest.mark.parametrize(
    ("command", "path", "payload"),
    [
        ({"goto": "three"}, {"three"}, None),
        ({"goto": ["two", "three"]}, {"two", "three"}, None),
        ({"goto": {"node": "three", "input": {"payload": 7}}}, {"three"}, 7),
        ({"goto": [{"node": "three", "input": {"payload": 8}}, {"node": "two", "input": {}}]}, {"two", "three"}, 8),
        ({"update": {"path": ["updated"]}, "goto": "three"}, {"updated", "three"}, None),
        ({"update": [["path", ["pair"]]], "goto": "two"}, {"pair", "two"}, None),
    ],
)
async def test_a_command_goes_to_nodes_and_updates_the_state(
    client: LangGraphClient, command: Any, path: set[str], payload: Any
) -> None:
    answer: Any = await client.runs.wait(None, "hop", command=command)

    # An empty thread starts at its entry too.
    assert set(answer["path"]) == path | {"start", "two"}
    assert answer.get("payload") == payload


async def test_resuming_needs_a_thread(client: LangGraphClient) -> None:
    with pytest.raises(BadRequestError, match="You must provide a thread_id when resuming"):
        await client.runs.create(None, "interrupting", command={"resume": "yes"})


# Metadata, config, context


async def test_metadata_is_on_the_run_its_thread_and_in_the_config_of_its_nodes(client: LangGraphClient) -> None:
    run = await run_and_keep(client, "configured", input={}, metadata={"k": "v", "deep": {"x": [1, None]}})
    thread: Any = await client.threads.get(run["thread_id"])

    assert run["metadata"] == {
        "k": "v",
        "deep": {"x": [1, None]},
        "created_by": "system",
        "assistant_id": run["assistant_id"],
    }
    assert thread["metadata"] == {
        "k": "v",
        "deep": {"x": [1, None]},
        "graph_id": "configured",
        "assistant_id": run["assistant_id"],
    }
    assert thread["values"]["seen"]["metadata"] == {"k": "v", "run_attempt": 1, "run_id": run["run_id"]}


async def test_config_reaches_the_nodes(client: LangGraphClient) -> None:
    run = await run_and_keep(
        client,
        "configured",
        input={},
        config={"tags": ["t1", "t2"], "recursion_limit": 7, "configurable": {"model_name": "m", "extra": [1]}},
    )
    thread: Any = await client.threads.get(run["thread_id"])
    seen = thread["values"]["seen"]

    assert (seen["tags"], seen["recursion_limit"]) == (["t1", "t2"], 7)
    assert seen["configurable"] == {"model_name": "m", "extra": [1]}
    assert seen["ids"] == {
        "thread_id": run["thread_id"],
        "run_id": run["run_id"],
        "assistant_id": run["assistant_id"],
        "graph_id": "configured",
    }


async def test_context_reaches_the_nodes_and_is_also_configurable(client: LangGraphClient) -> None:
    answer: Any = await client.runs.wait(None, "configured", input={}, context={"model_name": "m", "temperature": 0.5})

    assert answer["seen"]["context"] == {"model_name": "m", "temperature": 0.5}
    assert answer["seen"]["configurable"] == {"model_name": "m", "temperature": 0.5}


async def test_context_and_configurable_together_are_refused(client: LangGraphClient) -> None:
    with pytest.raises(BadRequestError, match="Cannot specify both configurable and context"):
        await client.runs.create(None, "configured", config={"configurable": {"a": 1}}, context={"b": 2})


async def test_a_recursion_limit_that_is_too_small_ends_the_run_in_error(client: LangGraphClient) -> None:
    answer: Any = await client.runs.wait(None, "chain", input={}, config={"recursion_limit": 2}, raise_error=False)

    assert answer["__error__"]["error"] == "GraphRecursionError"
