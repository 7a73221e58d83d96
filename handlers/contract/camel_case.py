"""Fields that a client sends in camelCase: the stock JavaScript client does so for the items of a batch, without
the names that the interface has, and what a client says must not be dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.handlers.contract.models import schema_properties

# What that client calls the two ways to end a run, where the interface says delete and keep.
_VALUES = {"onCompletion": {"complete": "delete", "continue": "keep"}}


def camel_case_twins(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, str]:
    """For an array schema that says `x-camel-case-twins`: the names of its items' properties by their twins."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if not schema.get("x-camel-case-twins"):
        return {}
    names = schema_properties(schema["items"], schemas)
    return {_camel_case(name): name for name in names if "_" in name}


def add_snake_case(item: Any, twins: Mapping[str, str]) -> None:
    """Adds to the item, under their own names, the fields that it has only in camelCase."""
    if isinstance(item, dict):
        for twin in twins.keys() & item.keys():
            value = item[twin]
            values = _VALUES.get(twin, {})
            item.setdefault(twins[twin], values.get(value, value) if isinstance(value, str) else value)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
