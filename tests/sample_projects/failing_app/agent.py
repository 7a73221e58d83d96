from __future__ import annotations

from typing import TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict, total=False):
    text: str


def answer(state: State) -> State:
    return {"text": "!"}


graph = StateGraph(State).add_node(answer).add_edge(START, "answer").add_edge("answer", END).compile()
