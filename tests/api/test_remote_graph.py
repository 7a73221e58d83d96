"""LangGraph's own RemoteGraph: a served graph used as if it were a local one."""

from __future__ import annotations

import operator
import uuid
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command, StateSnapshot
from typing_extensions import TypedDict

from tests.live_server import LiveServer


class Counted(TypedDict, total=False):
    n: Annotated[int, operator.add]
    log: Annotated[list[Any], operator.add]
    last: Any


class Asking(TypedDict, total=False):
    text: str
    answer: Any
    log: Annotated[list[str], operator.add]


@pytest.fixture
def config() -> RunnableConfig:
    """A thread of the test's own, that nobody has made yet."""
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


def remote(server: LiveServer, graph: str, **options: Any) -> RemoteGraph:
    return RemoteGraph(graph, url=server.url, api_key=None, **options)


@pytest.fixture
def chain(live_server: LiveServer) -> RemoteGraph:
    return remote(live_server, "chain")


# Running it


def test_it_is_invoked_without_a_thread(chain: RemoteGraph) -> None:
    assert chain.invoke({"n": 1})["n"] == 112


async def test_it_is_invoked_on_a_thread_which_it_makes_and_remembers(
    chain: RemoteGraph, config: RunnableConfig
) -> None:
    assert (await chain.ainvoke({"n": 1}, config))["n"] == 112
    assert chain.invoke({"n": 1}, config)["n"] == 224


def test_config_and_context_reach_the_nodes(live_server: LiveServer) -> None:
    configured = remote(live_server, "configured")

    seen: Any = configured.invoke(
        {}, {"tags": ["t"], "recursion_limit": 9, "configurable": {"model_name": "m"}, "metadata": {"k": "v"}}
    )
    assert seen["seen"]["tags"] == ["t"]
    assert seen["seen"]["recursion_limit"] == 9
    assert seen["seen"]["configurable"] == {"model_name": "m"}
    given: Any = configured.invoke({}, context={"model_name": "c"})
    assert given["seen"]["context"] == {"model_name": "c"}


def test_it_streams_in_one_mode_and_in_several(chain: RemoteGraph) -> None:
    assert [next(iter(update)) for update in chain.stream({"n": 1}, stream_mode="updates")] == ["a", "b", "c"]
    assert [values["n"] for values in chain.stream({"n": 1}, stream_mode="values")] == [1, 2, 12, 112]
    several: list[Any] = list(chain.stream({"n": 1}, stream_mode=["updates", "values"]))
    assert [each.event for each in several] == ["values", *["updates", "values"] * 3]


async def test_it_streams_the_words_of_a_model(live_server: LiveServer) -> None:
    question: Any = {"messages": [{"role": "user", "content": "hello world"}]}
    chunks: list[Any] = [chunk async for chunk in remote(live_server, "echo").astream(question, stream_mode="messages")]

    assert "".join(message["content"] for message, _ in chunks) == "echo: hello world"


async def test_it_streams_its_subgraphs_with_their_places(live_server: LiveServer) -> None:
    question: Any = {"messages": [{"role": "user", "content": "x"}]}
    seen = [
        (place, next(iter(update)))
        async for place, update in remote(live_server, "subgraphed").astream(
            question, stream_mode="updates", subgraphs=True
        )
    ]

    assert [node for _, node in seen] == ["before", "think", "confirm", "child", "after"]
    assert [bool(place) for place, _ in seen] == [False, True, True, False, False]


async def test_its_failure_is_an_exception(live_server: LiveServer) -> None:
    with pytest.raises(RemoteException, match="boom from failing graph"):
        await remote(live_server, "failing").ainvoke({})


def test_it_stops_before_a_node_and_goes_on(chain: RemoteGraph, config: RunnableConfig) -> None:
    chain.invoke({"n": 0}, config, interrupt_before=["b"])
    assert chain.get_state(config).next == ("b",)

    assert chain.invoke(None, config)["n"] == 111


def test_it_asks_and_is_answered(live_server: LiveServer, config: RunnableConfig) -> None:
    interrupting = remote(live_server, "interrupting")
    interrupting.invoke({"text": "t"}, config)
    (task,) = interrupting.get_state(config).tasks
    assert task.interrupts[0].value == {"question": "ok?", "text": "t"}

    answer: Any = interrupting.invoke(Command(resume="yes"), config)

    assert answer["answer"] == "yes"


# Its state


def test_its_state_is_a_snapshot(chain: RemoteGraph, config: RunnableConfig) -> None:
    chain.invoke({"n": 1}, config)
    state = chain.get_state(config)

    assert state.values["n"] == 112
    assert state.next == ()
    assert state.metadata is not None
    assert state.metadata["step"] == 3
    assert state.parent_config is not None
    assert chain.get_state(state.parent_config).next == ("c",)


async def test_its_history_can_be_walked_and_filtered(chain: RemoteGraph, config: RunnableConfig) -> None:
    await chain.ainvoke({"n": 1}, config)
    states = [state async for state in chain.aget_state_history(config)]
    inputs = [state async for state in chain.aget_state_history(config, filter={"source": "input"})]
    older = [state async for state in chain.aget_state_history(config, before=states[1].config)]

    assert [state.next for state in states] == [(), ("c",), ("b",), ("a",), ("__start__",)]
    assert [state.next for state in inputs] == [("__start__",)]
    assert [state.next for state in older] == [("b",), ("a",), ("__start__",)]


def test_its_state_is_updated_now_and_in_the_past(chain: RemoteGraph, config: RunnableConfig) -> None:
    chain.invoke({"n": 0}, config)
    now = chain.update_state(config, {"n": 1000}, as_node="c")
    assert chain.get_state(now).values["n"] == 1111
    (past,) = [state for state in chain.get_state_history(config) if state.next == ("b",)]

    changed = chain.update_state(past.config, {"n": 50}, as_node="a")

    assert chain.get_state(changed).values["n"] == 51
    assert chain.get_state(changed).next == ("b",)
    assert chain.get_state(now).values["n"] == 1111


def test_the_state_of_its_subgraphs_comes_along_when_asked_for(live_server: LiveServer, config: RunnableConfig) -> None:
    subgraphed = remote(live_server, "subgraphed")
    subgraphed.invoke({"messages": [{"role": "user", "content": "x"}], "ask": True}, config)

    (task,) = subgraphed.get_state(config, subgraphs=True).tasks
    assert isinstance(task.state, StateSnapshot)
    assert task.name == "child"
    assert task.state.next == ("confirm",)
    (task,) = subgraphed.get_state(config).tasks
    assert isinstance(task.state, dict)
    assert task.state["configurable"]["checkpoint_ns"].startswith("child:")


# Its drawing


def test_its_drawing_has_nodes_and_edges(live_server: LiveServer) -> None:
    subgraphed = remote(live_server, "subgraphed")

    assert set(subgraphed.get_graph().nodes) == {"__start__", "before", "child", "after", "__end__"}
    inside = subgraphed.get_graph(xray=True)
    assert {"child:think", "child:confirm"} <= set(inside.nodes)
    assert "think" in inside.draw_mermaid()


async def test_it_is_drawn_asynchronously_too(chain: RemoteGraph) -> None:
    drawing = await chain.aget_graph()

    assert [(edge.source, edge.target) for edge in drawing.edges] == [
        ("__start__", "a"),
        ("a", "b"),
        ("b", "c"),
        ("c", "__end__"),
    ]


# As a part of a local graph


async def test_it_is_a_node_of_a_local_graph(live_server: LiveServer) -> None:
    async def before(state: Counted) -> Any:
        return {"n": 1000, "log": ["local"]}

    local = (
        StateGraph(Counted)
        .add_node("before", before)
        .add_node("served", remote(live_server, "chain", name="served"))
        .add_edge(START, "before")
        .add_edge("before", "served")
        .compile()
    )

    answer = await local.ainvoke({"n": 0})

    assert answer["last"] == "c"
    assert "local" in answer["log"]
    assert answer["log"][-3:] == ["a", "b", "c"]


async def test_its_events_are_seen_in_the_stream_of_the_local_graph(live_server: LiveServer) -> None:
    local = StateGraph(Counted).add_node("served", remote(live_server, "chain", name="served"))
    graph = local.add_edge(START, "served").compile()

    seen = [(place, update) async for place, update in graph.astream({"n": 0}, stream_mode="updates", subgraphs=True)]

    inner = [next(iter(update)) for place, update in seen if place]
    assert inner == ["a", "b", "c"]
    assert {place[0].partition(":")[0] for place, _ in seen if place} == {"served"}


async def test_a_question_of_the_served_graph_interrupts_the_local_one(
    live_server: LiveServer, config: RunnableConfig
) -> None:
    local = (
        StateGraph(Asking)
        .add_node("served", remote(live_server, "interrupting", name="served"))
        .add_edge(START, "served")
        .compile(checkpointer=InMemorySaver())
    )

    asked = await local.ainvoke({"text": "t"}, config)
    assert asked["__interrupt__"][0].value == {"question": "ok?", "text": "t"}
    assert (await local.aget_state(config)).next == ("served",)
    # RemoteGraph passes no answers on: the served graph waits on the thread of the same id.
    answer: Any = await remote(live_server, "interrupting").ainvoke(Command(resume="yes"), config)
    assert answer["answer"] == "yes"
