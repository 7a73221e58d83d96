"""The filter of a search of the store, as conditions of SQL on `document`: the value of an item as jsonb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from runyard.runtime.storage.shared.store_filters import FilterTerms, Term


class PostgresFilterTerms(FilterTerms):
    """See `FilterTerms`."""

    def equal(self, keys: Sequence[str], value: Any) -> Term:
        if value is None:
            found = _value(keys)
            return Term(f"coalesce(jsonb_typeof({found.sql}), 'null') = 'null'", found.parameters)
        return _holds(keys, value)

    def unequal(self, keys: Sequence[str], value: Any) -> Term:
        term = self.equal(keys, value)
        return Term(f"({term.sql}) is not true", term.parameters)

    def is_object(self, keys: Sequence[str]) -> Term:
        return _is(keys, "object")

    def compared(self, keys: Sequence[str], comparison: str, value: float | str, place: str) -> Term:
        found = _value(keys)
        if isinstance(value, str):
            kind, test, text = "string", f"({found.sql} #>> '{{}}') collate \"C\" {comparison} %s", _text(value)
        else:
            kind, test, text = "number", f"({found.sql})::numeric {comparison} %s::numeric", repr(value)
        return Term(
            f"case when jsonb_typeof({found.sql}) = '{kind}' then {test} else false end",
            (*found.parameters, *found.parameters, text),
        )


def _holds(keys: Sequence[str], value: Any) -> Term:
    """An object must be contained, key by key; everything else must be equal."""
    if not isinstance(value, dict):
        found = _value(keys)
        return Term(f"{found.sql} = %s::jsonb", (*found.parameters, _searchable(value).decode()))
    terms = [_is(keys, "object"), *(_holds([*keys, name], inner) for name, inner in value.items())]
    return Term(
        f"({' and '.join(term.sql for term in terms)})",
        tuple(parameter for term in terms for parameter in term.parameters),
    )


def _is(keys: Sequence[str], kind: str) -> Term:
    found = _value(keys)
    return Term(f"jsonb_typeof({found.sql}) = '{kind}'", found.parameters)


def _value(keys: Sequence[str]) -> Term:
    """What stands under the keys. Not a path of SQL: that finds items of lists, too, by their number."""
    return Term(f"(document{' -> %s::text' * len(keys)})", tuple(_text(key) for key in keys))


def _text(text: str) -> str:
    found: str = orjson.loads(_searchable(text))
    return found


def _searchable(value: Any) -> bytes:
    """As the function `store_document` has it: jsonb cannot hold NUL characters."""
    return orjson.dumps(value).replace(b"\\u0000", b"\\u0001")
