"""The filter of a search of the store, as conditions of SQL on `document`: the value of an item as jsonb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from runyard.runtime.errors import Invalid
from runyard.runtime.storage.postgres.conditions import PostgresConditions

MOST_TERMS = 50
"""Things that one filter asks for."""
_COMPARISONS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_OPERATORS = ("$eq", "$ne", *_COMPARISONS)


class _Term(NamedTuple):
    """A condition with its parameters; it may be null where what it is about is not there."""

    sql: str
    parameters: tuple[Any, ...] = ()


def add_filter(where: PostgresConditions, wanted: Mapping[str, Any] | None) -> None:
    """The item's value passes the filter, as `SearchItems` says. Raises Invalid."""
    budget = iter(range(MOST_TERMS))
    for name, test in (wanted or {}).items():
        _Tests(where, lambda: next(budget, None) is None, f"filter.{name}").add(name.split("."), test)


class _Tests:
    """What one key of the filter asks for."""

    def __init__(self, where: PostgresConditions, exhausted: Callable[[], bool], place: str) -> None:
        self._where = where
        self._exhausted = exhausted
        self._place = place

    def add(self, keys: list[str], test: Any) -> None:
        if self._exhausted():
            raise Invalid(f"filter: asks for more than {MOST_TERMS} things; ask for fewer")
        if not isinstance(test, dict):
            self._keep(_equal(keys, test))
        elif any(name.startswith("$") for name in test):
            for operator, value in test.items():
                self._keep(self._operation(keys, operator, value))
        else:
            self._keep(_is(keys, "object"))
            for name, inner in test.items():
                self.add([*keys, name], inner)

    def _keep(self, term: _Term) -> None:
        self._where.add(term.sql, *term.parameters)

    def _operation(self, keys: list[str], operator: str, value: Any) -> _Term:
        if operator not in _OPERATORS:
            raise Invalid(f"{self._place}: {operator!r} is not known; known are {', '.join(_OPERATORS)}")
        if operator == "$eq":
            return _equal(keys, value)
        if operator == "$ne":
            term = _equal(keys, value)
            return _Term(f"({term.sql}) is not true", term.parameters)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Invalid(f"{self._place}.{operator}: must be a number or a text")
        return _compared(keys, _COMPARISONS[operator], value)


def _equal(keys: Sequence[str], value: Any) -> _Term:
    if value is None:
        found = _value(keys)
        return _Term(f"coalesce(jsonb_typeof({found.sql}), 'null') = 'null'", found.parameters)
    return _holds(keys, value)


def _holds(keys: Sequence[str], value: Any) -> _Term:
    """An object must be contained, key by key; everything else must be equal."""
    if not isinstance(value, dict):
        found = _value(keys)
        return _Term(f"{found.sql} = %s::jsonb", (*found.parameters, _searchable(value).decode()))
    terms = [_is(keys, "object"), *(_holds([*keys, name], inner) for name, inner in value.items())]
    return _Term(
        f"({' and '.join(term.sql for term in terms)})",
        tuple(parameter for term in terms for parameter in term.parameters),
    )


def _compared(keys: Sequence[str], comparison: str, value: float | str) -> _Term:
    found = _value(keys)
    if isinstance(value, str):
        kind, compared, text = "string", f"({found.sql} #>> '{{}}') collate \"C\" {comparison} %s", _text(value)
    else:
        kind, compared, text = "number", f"({found.sql})::numeric {comparison} %s::numeric", repr(value)
    # Only what is of its type can be compared.
    return _Term(
        f"case when jsonb_typeof({found.sql}) = '{kind}' then {compared} else false end",
        (*found.parameters, *found.parameters, text),
    )


def _is(keys: Sequence[str], kind: str) -> _Term:
    found = _value(keys)
    return _Term(f"jsonb_typeof({found.sql}) = '{kind}'", found.parameters)


def _value(keys: Sequence[str]) -> _Term:
    """What stands under the keys. Not a path of SQL: that finds items of lists, too, by their number."""
    return _Term(f"(document{' -> %s::text' * len(keys)})", tuple(_text(key) for key in keys))


def _text(text: str) -> str:
    found: str = orjson.loads(_searchable(text))
    return found


def _searchable(value: Any) -> bytes:
    """As the function `store_document` has it: jsonb cannot hold NUL characters."""
    return orjson.dumps(value).replace(b"\\u0000", b"\\u0001")
