"""Graphs that only count, sleep, write or branch."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any

from langgraph.config import get_stream_writer
from langgraph.func import entrypoint
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Send
from typing_extensions import TypedDict


class Counted(TypedDict, total=False):
    n: Annotated[int, operator.add]
    log: Annotated[list[Any], operator.add]
    last: Any


async def one(state: Counted) -> Any:
    return {"n": 1, "log": ["a"], "last": "a"}


async def ten(state: Counted) -> Any:
    return {"n": 10, "log": ["b"], "last": "b"}


async def hundred(state: Counted) -> Any:
    return {"n": 100, "log": ["c"], "last": "c"}


chain = (
    StateGraph(Counted)
    .add_node("a", one)
    .add_node("b", ten)
    .add_node("c", hundred)
    .add_edge(START, "a")
    .add_edge("a", "b")
    .add_edge("b", "c")
    .compile()
)


class Slow(TypedDict, total=False):
    steps: int
    delay: float
    label: str
    base: int
    done: Annotated[list[str], operator.add]


async def begin(state: Slow) -> Any:
    return {"base": len(state.get("done") or [])}


def _made(state: Slow) -> int:
    return len(state.get("done") or []) - state.get("base", 0)


async def step(state: Slow) -> Any:
    await asyncio.sleep(state.get("delay", 0.05))
    return {"done": [f"{state.get('label', 'x')}{_made(state)}"]}


def more(state: Slow) -> str:
    return "step" if _made(state) < state.get("steps", 3) else END


# One checkpoint a step: what a killed worker leaves behind is easy to count.
slow = (
    StateGraph(Slow)
    .add_node("begin", begin)
    .add_node("step", step)
    .add_edge(START, "begin")
    .add_edge("begin", "step")
    .add_conditional_edges("step", more, ["step", END])
    .compile()
)


class Written(TypedDict, total=False):
    out: str


async def write(state: Written) -> Any:
    writer = get_stream_writer()
    writer({"progress": 1})
    writer("halfway")
    writer({"progress": 2, "list": [1, "two", None, True]})
    return {"out": "done"}


custom = StateGraph(Written).add_node("work", write).add_edge(START, "work").compile()


class Fan(TypedDict, total=False):
    items: list[int]
    results: Annotated[list[int], operator.add]
    total: int


async def multiply(state: Any) -> Any:  # what `split` sends
    return {"results": [state["x"] * 10]}


async def add_up(state: Fan) -> Any:
    return {"total": sum(state.get("results") or [])}


def split(state: Fan) -> Any:
    return [Send("work", {"x": x}) for x in state.get("items") or []] or "sum"


fanout = (
    StateGraph(Fan)
    .add_node("work", multiply)
    .add_node("sum", add_up)
    .add_conditional_edges(START, split, ["work", "sum"])
    .add_edge("work", "sum")
    .compile()
)


class Path(TypedDict, total=False):
    path: Annotated[list[str], operator.add]
    payload: Any


async def start(state: Path) -> Command[Any]:
    return Command(update={"path": ["start"]}, goto="two")


async def two(state: Path) -> Any:
    return {"path": ["two"]}


async def three(state: Any) -> Any:
    return {"path": ["three"], "payload": state.get("payload")}


hop = (
    StateGraph(Path)
    .add_node("start", start, destinations=("two",))
    .add_node("two", two)
    .add_node("three", three)
    .add_edge(START, "start")
    .compile()
)


@entrypoint()
async def shout(x: Any) -> Any:
    return x.upper() if isinstance(x, str) else {"got": x}


class Asked(TypedDict, total=False):
    question: str


class Told(TypedDict, total=False):
    answer: str


class Whole(Asked, Told, total=False):
    scratch: int


async def tell(state: Whole) -> Any:
    return {"scratch": 1, "answer": f"not {state['question']}"}


# What it answers is less than what its state holds.
narrow = (
    StateGraph(Whole, input_schema=Asked, output_schema=Told).add_node("tell", tell).add_edge(START, "tell")
).compile()


forgetful = StateGraph(Counted).add_node("a", one).add_edge(START, "a").compile(checkpointer=False)


class Kept(TypedDict, total=False):
    key: str
    value: dict[str, Any]
    read: Any


async def touch(state: Kept, runtime: Runtime[Any]) -> Any:
    assert runtime.store is not None
    before = await runtime.store.aget(("tests",), state["key"])
    if state.get("value") is not None:
        await runtime.store.aput(("tests",), state["key"], state["value"])
    after = await runtime.store.aget(("tests",), state["key"])
    return {"read": {"before": before and before.value, "after": after and after.value}}


storeful = StateGraph(Kept).add_node("touch", touch).add_edge(START, "touch").compile()
