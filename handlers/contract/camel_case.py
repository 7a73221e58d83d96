"""Fields that a client sends in camelCase: the stock JavaScript client does so for the items of a batch, without
the names that the interface has, and what a client says must not be dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Twins(NamedTuple):
    """What an array schema says under `x-camel-case-twins`.

    names: the names of its items' fields, by what they are called in camelCase. values: for some of those, what
    stands for a value of the field.
    """

    names: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]

    def complete(self, item: Any) -> None:
        """Adds to the item, under their own names, the fields that it has only in camelCase."""
        if isinstance(item, dict):
            for twin in self.names.keys() & item.keys():
                value = item[twin]
                values = self.values.get(twin, {})
                item.setdefault(self.names[twin], values.get(value, value) if isinstance(value, str) else value)


def read_twins(schema: dict[str, Any], schemas: Mapping[str, Any]) -> tuple[Twins | None, dict[str, Any]]:
    """The twins of a body, and its schema for when they are complete: the first alternative of its items, without
    that for items in camelCase. For a body without twins, None and its schema."""
    target = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    twins = target.get("x-camel-case-twins")
    if twins is None:
        return None, schema
    return Twins(twins["names"], twins["values"]), {**target, "items": target["items"]["anyOf"][0]}
