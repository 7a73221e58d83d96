"""The filter of a search of the store, as conditions of SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from runyard.runtime.errors import Invalid
from runyard.runtime.storage.sqlite.conditions import MOST_TERMS, SqliteConditions

_COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_OPERATORS = ("$eq", "$ne", *_COMPARISONS)
_EXACT = 2**53
"""Whole numbers up to this are the same as floats."""


def add_filter(where: SqliteConditions, wanted: Mapping[str, Any] | None) -> None:
    """The item's value passes the filter, as `SearchItems` says. Raises Invalid."""
    budget = iter(range(MOST_TERMS))
    for name, test in (wanted or {}).items():
        _Tests(where, lambda: next(budget, None) is None, f"filter.{name}").add(name.split("."), test)


class _Tests:
    """What one key of the filter asks for. Keys that a path of SQL cannot name are compared as a whole, in Python."""

    def __init__(self, where: SqliteConditions, exhausted: Callable[[], bool], place: str) -> None:
        self._where = where
        self._exhausted = exhausted
        self._place = place

    def add(self, keys: list[str], test: Any) -> None:
        if self._exhausted():
            raise Invalid(f"filter: asks for more than {MOST_TERMS} things; ask for fewer")
        if not isinstance(test, dict):
            self._where.add(*self._equal(keys, test))
        elif any(name.startswith("$") for name in test):
            for operator, value in test.items():
                self._where.add(*self._operation(keys, operator, value))
        else:
            self._where.add(*self._type(keys, ("object",)))
            for name, inner in test.items():
                self.add([*keys, name], inner)

    def _operation(self, keys: list[str], operator: str, value: Any) -> tuple[Any, ...]:
        if operator not in _OPERATORS:
            raise Invalid(f"{self._place}: {operator!r} is not known; known are {', '.join(_OPERATORS)}")
        if operator == "$eq":
            return self._equal(keys, value)
        if operator == "$ne":
            term, *parameters = self._equal(keys, value)
            return f"not coalesce({term}, 0)", *parameters
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Invalid(f"{self._place}.{operator}: must be a number or a text")
        path = self._path(keys)
        if path is None:
            raise Invalid(f"{self._place}: {operator} does not take keys that are empty, or have quotes or backslashes")
        types = ("text",) if isinstance(value, str) else ("integer", "real")
        term, *parameters = self._type(keys, types)
        if isinstance(value, int) and abs(value) >= 2**63:
            value = float(value)
        # The comparison first: its type is only looked at of what passes.
        return f"(json_extract(value, ?) {_COMPARISONS[operator]} ? and {term})", path, value, *parameters

    def _type(self, keys: list[str], types: tuple[str, ...]) -> tuple[Any, ...]:
        names = ", ".join(f"'{name}'" for name in types)
        path = self._path(keys)
        if path is not None:
            return f"coalesce(json_type(value, ?) in ({names}), 0)", path
        return self._contains(keys, {})

    def _equal(self, keys: list[str], value: Any) -> tuple[Any, ...]:
        path = self._path(keys)
        if path is None or isinstance(value, float | list | dict) or (isinstance(value, int) and abs(value) > _EXACT):
            return self._contains(keys, value)
        if value is None:
            return "coalesce(json_type(value, ?), 'null') = 'null'", path
        if isinstance(value, bool):
            return "coalesce(json_type(value, ?), '') = ?", path, "true" if value else "false"
        types = ("text",) if isinstance(value, str) else ("integer", "real")
        term, *parameters = self._type(keys, types)
        return f"(json_extract(value, ?) = ? and {term})", path, value, *parameters

    @staticmethod
    def _contains(keys: list[str], value: Any) -> tuple[Any, ...]:
        for key in reversed(keys):
            value = {key: value}
        return "contains(value, ?)", orjson.dumps(value).decode()

    @staticmethod
    def _path(keys: list[str]) -> str | None:
        if all(key and key.isprintable() and '"' not in key and "\\" not in key for key in keys):
            return "$" + "".join(f'."{key}"' for key in keys)
        return None
