"""Filters of the store find what LangGraph's own store in memory finds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import orjson
import pytest
from langgraph.store.memory import InMemoryStore

from runyard.runtime.errors import Invalid
from runyard.runtime.storage.shared.store_filters import add_filter
from runyard.runtime.storage.sqlite.conditions import SqliteConditions, contains
from runyard.runtime.storage.sqlite.store.filters import SqliteFilterTerms

VALUES: list[dict[str, Any]] = [
    {},
    {"a": None},
    {"a": 0},
    {"a": 1},
    {"a": 1.5},
    {"a": -7},
    {"a": True},
    {"a": False},
    {"a": ""},
    {"a": "text"},
    {"a": "o'clock"},
    {"a": [1, 2]},
    {"a": []},
    {"a": {"b": 1}},
    {"a": {"b": 1, "c": {"d": "deep"}}},
    {"a": {}},
    {"a": 2**60},
    {"a": 2**60 + 1},
    {'quoted "key"': 1, "a": 3},
    {"back\\slash": "x"},
]


def found(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    where = SqliteConditions("true")
    add_filter(where, wanted, SqliteFilterTerms())
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.create_function("contains", 2, contains)
        connection.execute("create table items (id integer primary key, value text)")
        connection.executemany("insert into items (value) values (?)", [(orjson.dumps(v).decode(),) for v in VALUES])
        rows = connection.execute(f"select value from items {where} order by id", where.parameters)
        return [orjson.loads(value) for (value,) in rows]


def found_in_memory(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    store = InMemoryStore()
    for number, value in enumerate(VALUES):
        store.put(("v",), f"{number:02}", value)
    return [item.value for item in sorted(store.search(("v",), filter=wanted, limit=100), key=lambda item: item.key)]


@pytest.mark.parametrize(
    "wanted",
    [
        {"a": 1.5},
        {"a": -7},
        {"a": ""},
        {"a": "text"},
        {"a": "o'clock"},
        {"a": [1, 2]},
        {"a": []},
        {"a": {"b": 1}},
        {"a": {"c": {"d": "deep"}}},
        {"a": {}},
        {"a": None},
        {"a": 2**60},
        {"a": "text", "b": None},
        {"a": {"$eq": "text"}},
        {"a": {"$ne": "text"}},
        {"a": {"$ne": None}},
        {"a": {"$ne": [1, 2]}},
        {"a": {"c": {"d": {"$ne": "deep"}}}},
        {'quoted "key"': 1},
        {"back\\slash": "x"},
        {"back\\slash": {"$ne": "x"}},
        {"missing": 1},
        {},
    ],
    ids=str,
)
def test_they_find_what_the_store_in_memory_finds(wanted: dict[str, Any]) -> None:
    assert found(wanted) == found_in_memory(wanted)


@pytest.mark.parametrize(
    ("wanted", "values"),
    [
        ({"a": {"$gt": 0}}, [1, 1.5, 2**60, 2**60 + 1, 3]),
        ({"a": {"$gte": 1, "$lt": 2}}, [1, 1.5]),
        ({"a": {"$lte": 0.0}}, [0, -7]),
        ({"a": {"$lt": "p"}}, ["", "o'clock"]),
        ({"a": {"$gte": 10**30}}, []),
        ({"a": 1}, [1]),
        ({"a": True}, [True]),
        ({"a.b": 1}, [{"b": 1}, {"b": 1, "c": {"d": "deep"}}]),
        ({"a.c.d": {"$ne": "deep"}, "a": {}}, [{"b": 1}, {}]),
    ],
    ids=str,
)
def test_types_are_not_mixed_up(wanted: dict[str, Any], values: list[Any]) -> None:
    assert [value["a"] for value in found(wanted)] == values


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"a": {"$almost": 1}}, r"filter\.a: '\$almost' is not known; known are \$eq"),
        ({"a": {"$gt": None}}, r"filter\.a\.\$gt: must be a number or a text"),
        ({"a": {"$lt": [1]}}, "must be a number or a text"),
        ({'"': {"$lt": 1}}, "does not take keys"),
        ({str(number): 1 for number in range(100)}, "asks for more than 50 things"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for_is_refused_with_its_place(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        found(wanted)
