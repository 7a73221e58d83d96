"""Conditions of queries that are put together, as SQLite writes them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from runyard.runtime.scope import has_all, holds
from runyard.runtime.storage.sql.conditions import Conditions
from runyard.runtime.storage.sql.letters import folded

MOST_TERMS = 50
"""Values that SQLite compares one by one; it refuses expressions that are very deep, and each is a level."""


def contains(document: str | bytes | None, wanted: str) -> bool:
    """SQL function: whether the JSON document contains the wanted JSON."""
    return document is not None and holds(orjson.loads(document), _parsed(wanted))


@lru_cache(8)
def _parsed(wanted: str) -> Any:
    """What is wanted is asked of row after row."""
    return orjson.loads(wanted)


def has_items(document: str | bytes | None, key: str, wanted: str) -> bool:
    """SQL function: whether the JSON document has under the key a list with the wanted JSON, or with all of a list."""
    return document is not None and has_all(orjson.loads(document).get(key), _parsed(wanted))


def folded_text(text: str | None) -> str | None:
    """SQL function `folded`: a text as it is compared whatever its case."""
    return None if text is None else folded(text)


class SqliteConditions(Conditions):
    """JSON is text, or a blob."""

    mark = "?"

    @staticmethod
    def array(values: Sequence[str]) -> str:
        """As JSON."""
        return orjson.dumps([*values]).decode()

    def like(self, column: str, part: str) -> None:
        self.add(f"instr(folded({column}), ?)", folded(part))

    def among(self, column: str, values: Sequence[str] | None) -> None:
        if values is not None:
            self.add(f"{column} in (select value from json_each(?))", self.array(values))

    def containing(self, column: str, wanted: Mapping[str, Any] | None) -> None:
        """SQLite itself compares scalars, which is fast."""
        rest: dict[str, Any] = {}
        flat = 0
        for path, key, value in _leaves("$", wanted or {}):
            if path is None or isinstance(value, list | dict | float) or _is_long(value) or flat >= MOST_TERMS:
                rest[key] = (wanted or {})[key]
                continue
            flat += 1
            if isinstance(value, bool) or value is None:
                self.add(f"json_type({column}, ?) = ?", path, "null" if value is None else str(value).lower())
            elif isinstance(value, int):
                self.add(f"json_type({column}, ?) in ('integer', 'real')", path)
                self.add(f"json_extract({column}, ?) = ?", path, value)
            else:
                self.add(f"json_type({column}, ?) = 'text'", path)
                self.add(f"json_extract({column}, ?) = ?", path, value)
        if rest:
            self.add(f"contains({column}, ?)", orjson.dumps(rest).decode())

    def excluding(self, column: str, unwanted: Mapping[str, Any] | None) -> None:
        if unwanted:
            found = SqliteConditions()
            found.containing(column, unwanted)
            # What is not there compares as null, which is no match.
            self.add(f"not coalesce({found.together}, 0)", *found.parameters)

    def listing(self, column: str, key: str, wanted: Any) -> None:
        """SQLite itself looks for texts."""
        path = _path("$", key)
        items = wanted if isinstance(wanted, list) else [wanted]
        if path is None or len(items) > MOST_TERMS or not all(isinstance(item, str) for item in items):
            self.add(f"has_items({column}, ?, ?)", key, orjson.dumps(wanted).decode())
            return
        self.add(f"json_type({column}, ?) = 'array'", path)
        for item in items:
            self.add(f"exists (select 1 from json_each({column}, ?) where type = 'text' and value = ?)", path, item)


def _leaves(
    path: str | None, wanted: Mapping[str, Any], top: str | None = None
) -> Iterator[tuple[str | None, str, Any]]:
    """(path, top-level key, value) of all that must be equal; path None where SQL has no way to write it."""
    for key, value in wanted.items():
        below = None if path is None else _path(path, key)
        if isinstance(value, dict) and value:
            yield from _leaves(below, value, top if top is not None else key)
        else:
            yield below, top if top is not None else key, value


def _path(path: str, key: str) -> str | None:
    """The path of a key below another; None where SQL has no way to write it."""
    plain = key != "" and key.isprintable() and '"' not in key and "\\" not in key
    return f'{path}."{key}"' if plain else None


def _is_long(value: Any) -> bool:
    return type(value) is int and not -(2**53) <= value <= 2**53
