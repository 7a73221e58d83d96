"""What a search asks for, as a `where` clause. Of metadata, an object must be contained, key by key; everything else
must be equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from runyard.runtime.scope import Scope, terms


class Conditions:
    """The `where` clause of a search, put together from what was asked for."""

    def __init__(self, *fixed: str) -> None:
        self._terms = list(fixed)
        self.parameters: list[Any] = []

    def add(self, term: str, *parameters: Any) -> None:
        self._terms.append(term)
        self.parameters += parameters

    def equal(self, column: str, value: Any) -> None:
        """`value` None: no condition."""
        if value is not None:
            self.add(f"{column} = %s", value)

    def like(self, column: str, part: str) -> None:
        """The column contains the text, whatever the case."""
        self.add(f"position(lower(%s) in lower({column})) > 0", part)

    def among(self, column: str, values: list[str] | None) -> None:
        if values is not None:
            self.add(f"{column} = any(%s::text[])", values)

    def containing(self, column: str, wanted: Mapping[str, Any] | None) -> None:
        """The column, jsonb, contains `wanted`."""
        if not wanted:
            return
        # What jsonb calls containing is so for lists too, of which equality is asked here.
        self.add(f"{column} @> %s::jsonb", _json(wanted))
        for path, value in _lists((), wanted):
            self.add(f"{column} #> %s::text[] = %s::jsonb", list(path), _json(value))

    def excluding(self, column: str, unwanted: Mapping[str, Any] | None) -> None:
        """The column does not contain `unwanted`; nothing to exclude excludes nothing."""
        if unwanted:
            excluded = Conditions()
            excluded.containing(column, unwanted)
            self.add(f"({' and '.join(excluded._terms)}) is not true", *excluded.parameters)

    def listing(self, column: str, key: str, wanted: Any) -> None:
        """The column has under the key a list with what is wanted, or with all of a list of them."""
        items = wanted if isinstance(wanted, list) else [wanted]
        self.add(f"jsonb_typeof({column} -> %s) = 'array'", key)
        for item in items:
            self.add(
                f"exists (select 1 from jsonb_array_elements(case jsonb_typeof({column} -> %s) when 'array' "
                f"then {column} -> %s else '[]' end) as item where item = %s::jsonb)",
                key,
                key,
                _json(item),
            )

    def within(self, scope: Scope, column: str, always: str | None = None) -> None:
        """The metadata in the column is what the scope's filter asks for, or the condition `always` holds."""
        if not scope.filter:
            return
        wanted = Conditions()
        for key, operator, value in terms(scope.filter):
            if operator == "$eq":
                wanted.containing(column, {key: value})
            elif operator == "$contains":
                wanted.listing(column, key, value)
            else:
                raise ValueError(f"a filter of metadata knows $eq and $contains, not {operator}")
        together = " and ".join(wanted._terms)
        self.add(together if always is None else f"({always} or ({together}))", *wanted.parameters)

    def __str__(self) -> str:
        return f"where {' and '.join(self._terms)}" if self._terms else ""


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _lists(path: tuple[str, ...], wanted: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """The lists in what is wanted, each with its path."""
    for key, value in wanted.items():
        if isinstance(value, dict):
            yield from _lists((*path, key), value)
        elif isinstance(value, list):
            yield (*path, key), value
