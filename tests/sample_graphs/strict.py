"""Graphs that refuse values: by the class of their state, by a reducer, by what their factory is asked for."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict


class Strict(BaseModel):
    count: int = 0
    ask: bool = False
    spoil: bool = False
    log: Annotated[list[str], operator.add] = Field(default_factory=list)


def count(state: Strict) -> Any:
    if state.ask:
        interrupt("sure?")
    return {"count": state.count + 1, "log": ["count"]}


def check(state: Strict) -> Any:
    return {"count": "many"} if state.spoil else {"log": ["check"]}


def end(state: Strict) -> Any:
    return {"log": ["end"]}


strict = StateGraph(Strict).add_sequence([count, check, end]).add_edge(START, "count").compile()
strict_inside = StateGraph(Strict).add_node("inside", strict).add_edge(START, "inside").compile()


def _refusing(old: list[str], new: list[str]) -> list[str]:
    if "bad" in new:
        raise SystemExit("the reducer refuses")
    return [*old, *new]


class Reduced(TypedDict, total=False):
    log: Annotated[list[str], _refusing]


def note(state: Reduced) -> Any:
    return {"log": ["noted"]}


reduced = StateGraph(Reduced).add_node("note", note).add_edge(START, "note").compile()


class Linked(BaseModel):
    file: str = ""
    log: Annotated[list[str], operator.add] = Field(default_factory=list)

    @field_validator("file")
    @classmethod
    def exists(cls, value: str) -> str:
        if not Path(value).exists():
            raise ValueError(f"{value} is not there")
        return value


def wait_for_word(state: Linked) -> Any:
    return {"log": [interrupt("go on?")]}


linked = StateGraph(Linked).add_node("wait_for_word", wait_for_word).add_edge(START, "wait_for_word").compile()


def choosy(config: RunnableConfig) -> Any:
    if config.get("configurable", {}).get("refuse"):
        raise ValueError("not with this config")
    return StateGraph(Reduced).add_node("note", note).add_edge(START, "note")
