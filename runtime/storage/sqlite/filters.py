"""Metadata filters: an object must be contained, key by key; everything else must be equal."""

from typing import Any

import orjson


def contains(document: str | bytes | None, wanted: str) -> bool:
    """SQL function: whether the JSON document contains the wanted JSON."""
    return document is not None and _within(orjson.loads(wanted), orjson.loads(document))


def _within(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and _within(value, found[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return bool(wanted == found)


class Conditions:
    """The `where` clause of a search, put together from what was asked for."""

    def __init__(self, *fixed: str) -> None:
        self._terms = list(fixed)
        self.parameters: list[Any] = []

    def equal(self, column: str, value: Any) -> None:
        """`value` None: no condition."""
        if value is not None:
            self._terms.append(f"{column} = ?")
            self.parameters.append(value)

    def like(self, column: str, part: str) -> None:
        """The column contains the text, whatever the case."""
        self._terms.append(f"instr(lower({column}), lower(?))")
        self.parameters.append(part)

    def among(self, column: str, values: list[str] | None) -> None:
        if values is not None:
            self._terms.append(f"{column} in (select value from json_each(?))")
            self.parameters.append(orjson.dumps(values).decode())

    def containing(self, column: str, wanted: dict[str, Any] | None) -> None:
        """Strings are compared by SQLite itself, which is fast; the rest by `contains`."""
        if not wanted:
            return
        rest: dict[str, Any] = {}
        for key, value in wanted.items():
            if isinstance(value, str) and key.isprintable() and '"' not in key and "\\" not in key:
                self._terms.append(f"json_extract({column}, ?) = ?")
                self.parameters += [f'$."{key}"', value]
            else:
                rest[key] = value
        if rest:
            self._terms.append(f"contains({column}, ?)")
            self.parameters.append(orjson.dumps(rest).decode())

    def __str__(self) -> str:
        return f"where {' and '.join(self._terms)}" if self._terms else ""
