"""Graphs that use the server that executes them, as projects in the wild do: by clients without a URL."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client, get_sync_client

EARLY = get_client()
EARLY_SYNC = get_sync_client()


class State(TypedDict, total=False):
    does: str
    """What the node is to do."""
    with_: dict[str, Any]
    """What it needs for that."""
    depth: int
    result: Any


def _graph(node: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder


def who(config: RunnableConfig) -> Any:
    user = config["configurable"].get("langgraph_auth_user")
    return {
        "user": user and user["identity"],
        "request": config["configurable"].get("langgraph_request_id"),
    }


async def answer(state: State, config: RunnableConfig) -> State:
    gate = state.get("with_", {}).get("gate")
    while gate and not Path(gate).exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.02)
    return {"result": who(config)}


async def call(state: State, config: RunnableConfig) -> State:
    client = EARLY if state.get("with_", {}).get("early") else get_client(**state.get("with_", {}).get("client", {}))
    given = state.get("with_", {})
    match state["does"]:
        case "thread":
            thread = await client.threads.create(metadata={"made": "inside"})
            run = await client.runs.wait(thread["thread_id"], "answering", input={})
            return {"result": {"thread": thread["thread_id"], "run": run["result"], "me": who(config)}}
        case "look":
            return {"result": await client.threads.get(given["thread"])}
        case "join":
            run = await client.runs.create(None, "answering", input={"with_": given})
            values = await client.runs.join(run["thread_id"], run["run_id"])
            return {"result": values["result"]}
        case "stream":
            parts = [part async for part in client.runs.stream(None, "answering", input={}, stream_mode="values")]
            return {"result": parts[-1].data["result"]}
        case "cron":
            cron = await client.crons.create("answering", schedule="0 0 * * *", input={})
            return {"result": cron["cron_id"]}
        case "store":
            await client.store.put_item(["memories"], "lake", {"text": "deep"})
            return {"result": (await client.store.get_item(["memories"], "lake"))["value"]}
        case "application":
            return {"result": await client.http.get("/ask")}
        case "own thread":
            return {"result": await client.runs.wait(config["configurable"]["thread_id"], "answering", input={})}
        case "plain thread":
            return {"result": await asyncio.to_thread(_in_plain_thread)}
        case "sync":
            return {"result": get_sync_client().threads.create()["thread_id"]}
        case "sync wait":
            return {"result": get_sync_client().runs.wait(None, "answering", input={})["result"]}
        case other:
            raise ValueError(other)


def call_sync(state: State, config: RunnableConfig) -> State:
    client = EARLY_SYNC if state.get("with_", {}).get("early") else get_sync_client()
    match state["does"]:
        case "thread":
            thread = client.threads.create(metadata={"made": "inside"})
            run = client.runs.wait(thread["thread_id"], "answering", input={})
            return {"result": {"thread": thread["thread_id"], "run": run["result"], "me": who(config)}}
        case "async":
            run = asyncio.run(get_client().runs.wait(None, "answering", input={}))
            return {"result": run["result"]}
        case other:
            raise ValueError(other)


def _in_plain_thread() -> Any:
    """What the server says to a thread that knows nothing of the run that started it."""
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(get_sync_client().threads.count())
        except Exception as error:  # noqa: BLE001 - its name is the answer
            found.append(type(error).__name__)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found[0]


async def spy(state: State) -> State:
    """What this run's requests say of their caller: code of a run may know that."""
    import httpx

    seen: list[str] = []
    plain = httpx.AsyncHTTPTransport.handle_async_request

    async def look(self: Any, request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["x-runyard-caller"])
        return await plain(self, request)

    httpx.AsyncHTTPTransport.handle_async_request = look
    try:
        await get_client().threads.count()
    finally:
        httpx.AsyncHTTPTransport.handle_async_request = plain
    return {"result": seen[0]}


async def ask_remote(state: State) -> State:
    found = await RemoteGraph("answering", client=get_client()).ainvoke({})
    return {"result": found["result"]}


async def nest(state: State) -> State:
    depth = state.get("depth", 0)
    if depth == 0:
        return {"result": 0}
    if depth < 0:
        return {"result": await get_client().runs.wait(None, "nesting", input={"depth": depth})}
    below = await get_client().runs.wait(None, "nesting", input={"depth": depth - 1})
    return {"result": below["result"] + 1}


async def nest_by_looking(state: State) -> State:
    depth = state.get("depth", 0)
    if depth == 0:
        return {"result": 0}
    client = get_client()
    run = await client.runs.create(None, "looking_nesting", input={"depth": depth - 1}, on_completion="keep")
    while run["status"] in ("pending", "running"):
        await asyncio.sleep(0.05)
        run = await client.runs.get(run["thread_id"], run["run_id"])
    below = await client.threads.get_state(run["thread_id"])
    return {"result": below["values"]["result"] + 1}


def nest_sync(state: State) -> State:
    depth = state.get("depth", 0)
    if depth == 0:
        return {"result": 0}
    below = get_sync_client().runs.wait(None, "sync_nesting", input={"depth": depth - 1})
    return {"result": below["result"] + 1}


async def make(config: RunnableConfig) -> Any:
    assistants = await get_client().assistants.search(graph_id="answering")

    def tell(state: State) -> State:
        return {"result": [assistant["graph_id"] for assistant in assistants]}

    return _graph(tell).compile()


spying = _graph(spy).compile()
caller = _graph(call).compile()
sync_caller = _graph(call_sync).compile()
answering = _graph(answer).compile()
nesting = _graph(nest).compile()
sync_nesting = _graph(nest_sync).compile()
looking_nesting = _graph(nest_by_looking).compile()
remote = _graph(ask_remote).compile()
remote_node = _graph(RemoteGraph("answering", client=EARLY, sync_client=EARLY_SYNC)).compile()
