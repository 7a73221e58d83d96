"""Whatever a graph puts into its state becomes JSON."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import json
import pathlib
import re
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel, ConfigDict

from runyard.runtime.graphs.encoding import to_json


class Colour(enum.Enum):
    RED = "red"


class Base(BaseModel):
    x: int = 1


class Derived(Base):
    y: datetime.date = datetime.date(2020, 1, 2)


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")
    item: Base
    thing: Any = None


@dataclasses.dataclass
class Point:
    x: Any
    _private: int = 0


Pair = collections.namedtuple("Pair", "p q")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class Numbers:
    """As numpy's arrays and scalars give themselves."""

    def tolist(self) -> list[float]:
        return [1.0, 2.5]


HUMAN: dict[str, Any] = {
    "content": "hi",
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "human",
    "name": None,
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (HumanMessage("hi", id="1"), {**HUMAN, "id": "1"}),
        ([{"m": (HumanMessage("hi", id="1"),)}], [{"m": [{**HUMAN, "id": "1"}]}]),
        (Point(HumanMessage("hi", id="1")), {"x": {**HUMAN, "id": "1"}}),
        (
            Holder.model_validate({"item": Derived(), "more": 2}),
            {"item": {"x": 1, "y": "2020-01-02"}, "thing": None, "more": 2},
        ),
        (Pair(1, {2}), {"p": 1, "q": [2]}),
        (Interrupt(value={"q": 1}, id="i"), {"value": {"q": 1}, "id": "i", "response_schema": None}),
        (Send("n", {"a": 1}), {"node": "n", "args": {"a": 1}}),
        (Command(goto="x"), {"graph": None, "update": None, "resume": None, "goto": "x"}),
        (ValueError("boo"), {"error": "ValueError", "message": "boo"}),
        (frozenset([1]), [1]),
        (collections.deque([1, 2]), [1, 2]),
        (b"hello", "aGVsbG8="),
        (Colour.RED, "red"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (ipaddress.ip_address("1.2.3.4"), "1.2.3.4"),
        (re.compile("a+"), "a+"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime.datetime(2020, 1, 1, 2, 3, 4), "2020-01-01T02:03:04"),
        (datetime.timedelta(seconds=90), 90.0),
        (decimal.Decimal("1.50"), 1.5),
        (decimal.Decimal("3"), 3),
        (decimal.Decimal("NaN"), None),
        (fractions.Fraction(1, 4), 0.25),
        (Numbers(), [1.0, 2.5]),
        (collections.UserDict({"a": 1}), {"a": 1}),
        (float("nan"), None),
        (float("-inf"), None),
        (2**70, 2**70),
        (-(2**64), -(2**64)),
        ({1: 2, None: 3, (1, "b"): 4}, {"1": 2, "null": 3, "1,b": 4}),
        ({Colour.RED: 2**65}, {"red": 2**65}),
        ("a\ud800b", "a?b"),
        ({"\udfff": [1.5, True, None, float("nan")]}, {"?": [1.5, True, None, None]}),
        (
            [2**65, Point(2**65), (1,), {"d": datetime.date(2020, 1, 1)}, uuid.UUID(int=0), b"x", Base()],
            [2**65, {"x": 2**65}, [1], {"d": "2020-01-01"}, str(uuid.UUID(int=0)), "eA==", {"x": 1}],
        ),
        (1 + 2j, "(1+2j)"),
        (Base, None),
        (len, None),
        (object(), None),
    ],
)
def test_every_kind_of_value_becomes_json(value: Any, expected: Any) -> None:
    encoded = to_json(value)
    assert json.loads(encoded) == expected
    assert b"\n" not in encoded


def test_messages_are_flat_objects() -> None:
    chunk = json.loads(to_json(AIMessageChunk(content="x", id="1", chunk_position="last")))
    assert chunk["type"] == "AIMessageChunk"
    assert (chunk["tool_call_chunks"], chunk["chunk_position"]) == ([], "last")
    call = {"name": "f", "args": {"a": 1}, "id": "c"}
    whole = json.loads(to_json(AIMessage("x", id="1", tool_calls=[call])))
    assert whole["type"] == "ai"
    assert whole["tool_calls"] == [{**call, "type": "tool_call"}]
    assert json.loads(to_json(ToolMessage("r", tool_call_id="c")))["tool_call_id"] == "c"


def test_an_exception_without_a_text_has_its_name() -> None:
    said = json.loads(to_json(Mute()))
    assert said["error"] == "Mute"
    assert "RuntimeError" in said["message"]


def test_an_object_that_refuses_everything_is_null() -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

    assert to_json([1, Hostile(), 2**65]) == b"[1,null,%d]" % 2**65
    assert to_json({"a": Hostile()}) == b'{"a":null}'


def test_depth_has_no_limit() -> None:
    value: Any = "leaf"
    for _ in range(50_000):
        value = [value]
    assert to_json(value) == b"[" * 50_000 + b'"leaf"' + b"]" * 50_000


def test_a_cycle_ends_in_null() -> None:
    cycle: dict[str, Any] = {"a": 1}
    cycle["self"] = cycle
    shared = [1]
    assert json.loads(to_json(cycle)) == {"a": 1, "self": None}
    assert json.loads(to_json([shared, shared, 2**65])) == [[1], [1], 2**65]


def test_an_object_without_end_ends() -> None:
    class Endless:
        def tolist(self) -> list[Any]:
            return [Endless()]

    assert to_json(Endless()).endswith(b"[null]" + b"]" * 99_999)


def test_numbers_too_long_to_print_are_text() -> None:
    assert isinstance(json.loads(to_json({"n": 10**10_000}))["n"], str)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    scalars | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)
with_surrogates = st.text(st.characters(categories=["L", "Cs", "Po"]))


slowly = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
"""No example is wrong because the machine is busy."""


@slowly
@given(anything)
def test_json_survives_the_slow_writer_too(value: Any) -> None:
    assert json.loads(to_json([value, 2**70])) == [value, 2**70]
    assert json.loads(to_json(value)) == value


@slowly
@given(with_surrogates)
def test_any_text_can_be_sent(text: str) -> None:
    assert len(json.loads(to_json({"": text}))[""]) <= len(text)
    json.loads(to_json({text: [text]}))
