"""Conditions of queries that are put together, as Postgres writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from runyard.runtime.storage.sql.conditions import Conditions
from runyard.runtime.storage.sql.letters import whatever_the_case


class PostgresConditions(Conditions):
    """JSON is jsonb."""

    mark = "%s"

    @staticmethod
    def array(values: Sequence[str]) -> list[str]:
        return [*values]

    def like(self, column: str, part: str) -> None:
        self.add(f"{column} ~ %s", whatever_the_case(part))

    def among(self, column: str, values: Sequence[str] | None) -> None:
        if values is not None:
            self.add(f"{column} = any(%s::text[])", self.array(values))

    def containing(self, column: str, wanted: Mapping[str, Any] | None) -> None:
        if not wanted:
            return
        # What jsonb calls containing is so for lists too, of which equality is asked here.
        self.add(f"{column} @> %s::jsonb", _json(wanted))
        for path, value in _lists((), wanted):
            self.add(f"{column} #> %s::text[] = %s::jsonb", list(path), _json(value))

    def excluding(self, column: str, unwanted: Mapping[str, Any] | None) -> None:
        if unwanted:
            excluded = PostgresConditions()
            excluded.containing(column, unwanted)
            self.add(f"({excluded.together}) is not true", *excluded.parameters)

    def listing(self, column: str, key: str, wanted: Any) -> None:
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


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _lists(path: tuple[str, ...], wanted: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """The lists in what is wanted, each with its path."""
    for key, value in wanted.items():
        if isinstance(value, dict):
            yield from _lists((*path, key), value)
        elif isinstance(value, list):
            yield (*path, key), value
