"""A graph on the server does what it does in plain LangGraph: states, histories and streams are the same.

Ids and times differ from run to run: each id is compared by when it was first seen. What the server adds to configs and
metadata is left out; everything else has to be equal.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from runyard.runtime.checkpoints.snapshots import thread_state
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.graphs.encoding import to_json
from runyard.runtime.graphs.registry import Graphs
from tests.live_server import PROJECT

ADDED = {
    "assistant_id",
    "created_by",
    "graph_id",
    "langgraph_auth_permissions",
    "langgraph_auth_user",
    "langgraph_auth_user_id",
    "langgraph_request_id",
    "run_attempt",
    "run_id",
    "user_id",
}
"""What the server says of a run, in configs and metadata."""
CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+\+00:00"
)
NOTE = {"note": "n"}
"""Metadata of each run."""
MODES = ["values", "updates", "tasks", "checkpoints", "debug", "custom", "messages"]

Steps = list[dict[str, Any]]
STORIES: dict[str, tuple[str, Steps]] = {
    "a chain": ("chain", [{"input": {"n": 1}}, {"input": {"n": 1}}]),
    "a loop": ("looping", [{"input": {"n": 0}}, {"input": {"n": 2}}]),
    "a fan-out": ("dealing", [{"input": {"items": [3, 1, 2]}}, {"input": {"items": []}}]),
    "a fan-out by a function": ("fanout", [{"input": {"items": [3, 1, 2]}}]),
    "a subgraph that asks": ("inside", [{"input": {"n": 1}}, {"resume": "yes"}, {"input": {"n": 7}}]),
    "a subgraph that remembers": (
        "remembering",
        [{"input": {"n": 1}}, {"resume": "yes"}, {"input": {"n": 7}}, {"resume": "no"}],
    ),
    "a subgraph of a subgraph": ("deeper", [{"input": {"n": 1}}, {"resume": ["yes"]}]),
    "a subgraph that leaves": ("leaving", [{"input": {"n": 1}}]),
    "a subgraph that fails": ("failing_inside", [{"input": {"n": 1}}]),
    "a function with tasks": ("function", [{"input": 3}, {"resume": {"a": 1}}]),
    "two questions at once": ("two_asks", [{"input": {}}]),
    "a jump": ("hop", [{"input": {}}]),
}


def comparable(value: Any) -> Any:
    """`value` without what the server adds."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: comparable(item) for key, item in value.items()}
    for key in ("metadata", "configurable"):
        if isinstance(kept.get(key), dict):
            kept[key] = _without_added(kept[key])
    return _without_added(kept) if "langgraph_node" in kept else kept


def _without_added(data: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in data.items() if name not in ADDED and not name.startswith("__")}


class Seen:
    """Names ids and times by when they were first seen."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, value: Any) -> Any:
        text = json.dumps(comparable(value), sort_keys=True)
        return json.loads(CHANGING.sub(lambda found: self._names.setdefault(found[0], f"<{len(self._names)}>"), text))


@pytest.fixture(scope="module")
def graphs() -> Graphs:
    graphs = Graphs(load_project(PROJECT))
    graphs.load()
    return graphs


async def plain_story(graphs: Graphs, graph_id: str, steps: Sequence[dict[str, Any]]) -> AsyncIterator[tuple[str, Any]]:
    """What plain LangGraph streams for the steps, and its states after each."""
    graph = (await graphs.open(graph_id, {}, store=None)).copy({"checkpointer": InMemorySaver()})
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4())}, "metadata": NOTE}
    for step in steps:
        given = Command(resume=step["resume"]) if "resume" in step else step["input"]
        stream: Any = graph.astream(given, config, stream_mode=MODES, subgraphs=True, durability="async")  # type: ignore[call-overload]
        try:
            async for namespace, mode, payload in stream:
                yield "|".join([mode, *namespace]), json.loads(to_json(payload))
        except ValueError as error:
            yield "error", {"error": "ValueError", "message": str(error)}
        for subgraphs in (False, True):
            yield "state", asdict(thread_state(await graph.aget_state(config, subgraphs=subgraphs)))
        states = [thread_state(item) async for item in graph.aget_state_history(config, limit=100)]
        yield "history", [asdict(state) for state in states]
        for task in (await graph.aget_state(config)).tasks:
            if isinstance(task.state, dict):
                inner = [thread_state(item) async for item in graph.aget_state_history(task.state, limit=100)]
                yield "inner history", [asdict(state) for state in inner]


async def story_on_server(
    client: Any, graph_id: str, steps: Sequence[dict[str, Any]]
) -> AsyncIterator[tuple[str, Any]]:
    """The same from a server."""
    thread = (await client.threads.create())["thread_id"]
    modes: Any = ["messages-tuple" if mode == "messages" else mode for mode in MODES]
    for step in steps:
        given: Any = {"command": {"resume": step["resume"]}} if "resume" in step else {"input": step["input"]}
        stream = client.runs.stream(
            thread, graph_id, **given, stream_mode=modes, stream_subgraphs=True, config={"metadata": NOTE}
        )
        async for part in stream:
            data: Any = part.data
            if part.event.startswith("debug") and data["type"] == "checkpoint":
                del data["payload"]["checkpoint"], data["payload"]["parent_checkpoint"]
            if part.event != "metadata":
                yield part.event, data
        for subgraphs in (False, True):
            yield "state", await client.threads.get_state(thread, subgraphs=subgraphs)
        yield "history", await client.threads.get_history(thread, limit=100)
        for task in (await client.threads.get_state(thread))["tasks"]:
            if task["checkpoint"]:
                yield (
                    "inner history",
                    await client.threads.get_history(thread, limit=100, checkpoint=task["checkpoint"]),
                )


@pytest.mark.parametrize("name", STORIES)
async def test_states_histories_and_streams(client: Any, graphs: Graphs, name: str) -> None:
    graph_id, steps = STORIES[name]
    plain, server = Seen(), Seen()
    expected = [(kind, plain([kind, data])) async for kind, data in plain_story(graphs, graph_id, steps)]
    found = [(kind, server([kind, data])) async for kind, data in story_on_server(client, graph_id, steps)]
    assert [plain_name for _, (plain_name, _) in expected] == [server_name for _, (server_name, _) in found]
    for (_, one), (_, other) in zip(expected, found, strict=True):
        assert other == one


EVENT_STORIES = ["a chain", "a subgraph that asks", "a function with tasks"]


@pytest.mark.parametrize("name", EVENT_STORIES)
async def test_events(client: Any, graphs: Graphs, name: str) -> None:
    graph_id, steps = STORIES[name]
    graph = (await graphs.open(graph_id, {}, store=None)).copy({"checkpointer": InMemorySaver()})
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4())}, "metadata": NOTE, "run_id": uuid.uuid4()}
    events: Any = graph.astream_events(steps[0]["input"], config, version="v2", stream_mode=["values"])
    plain, server = Seen(), Seen()
    expected = [
        plain(json.loads(to_json(event)))
        async for event in events
        if event["event"] != "on_chain_stream" or event["run_id"] != str(config["run_id"])
    ]
    thread = (await client.threads.create())["thread_id"]
    stream = client.runs.stream(
        thread, graph_id, input=steps[0]["input"], stream_mode="events", config={"metadata": NOTE}
    )
    found = [server(part.data) async for part in stream if part.event == "events"]
    assert [(event["event"], event["name"]) for event in found] == [(e["event"], e["name"]) for e in expected]
    for one, other in zip(expected, found, strict=True):
        assert other == one
