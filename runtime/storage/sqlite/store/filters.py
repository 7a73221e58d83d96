"""The filter of a search of the store, as conditions of SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from runyard.runtime.errors import Invalid
from runyard.runtime.storage.shared.store_filters import FilterTerms, Term

_EXACT = 2**53
"""Whole numbers up to this are the same as floats."""


class SqliteFilterTerms(FilterTerms):
    """See `FilterTerms`. Keys that a path of SQL cannot name are compared as a whole, in Python."""

    def equal(self, keys: Sequence[str], value: Any) -> Term:
        path = _path(keys)
        if path is None or isinstance(value, float | list | dict) or (isinstance(value, int) and abs(value) > _EXACT):
            return _contains(keys, value)
        if value is None:
            return Term("coalesce(json_type(value, ?), 'null') = 'null'", (path,))
        if isinstance(value, bool):
            return Term("coalesce(json_type(value, ?), '') = ?", (path, "true" if value else "false"))
        term = _type(path, value)
        return Term(f"(json_extract(value, ?) = ? and {term.sql})", (path, value, *term.parameters))

    def unequal(self, keys: Sequence[str], value: Any) -> Term:
        term = self.equal(keys, value)
        return Term(f"not coalesce({term.sql}, 0)", term.parameters)

    def is_object(self, keys: Sequence[str]) -> Term:
        path = _path(keys)
        return _contains(keys, {}) if path is None else _is(path, "'object'")

    def compared(self, keys: Sequence[str], comparison: str, value: float | str, place: str) -> Term:
        path = _path(keys)
        if path is None:
            raise Invalid(f"{place}: does not take keys that are empty, or have quotes or backslashes")
        term = _type(path, value)
        if isinstance(value, int) and abs(value) >= 2**63:
            value = float(value)
        # The comparison first: its type is only looked at of what passes.
        return Term(f"(json_extract(value, ?) {comparison} ? and {term.sql})", (path, value, *term.parameters))


def _type(path: str, value: float | str) -> Term:
    return _is(path, "'text'" if isinstance(value, str) else "'integer', 'real'")


def _is(path: str, types: str) -> Term:
    return Term(f"coalesce(json_type(value, ?) in ({types}), 0)", (path,))


def _contains(keys: Sequence[str], value: Any) -> Term:
    for key in reversed(keys):
        value = {key: value}
    return Term("contains(value, ?)", (orjson.dumps(value).decode(),))


def _path(keys: Sequence[str]) -> str | None:
    if all(key and key.isprintable() and '"' not in key and "\\" not in key for key in keys):
        return "$" + "".join(f'."{key}"' for key in keys)
    return None
