"""Fields that a client sends in camelCase: the stock JavaScript client does so for the items of a batch, without
the names that the interface has, and what a client says must not be dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.handlers.contract.models import properties_of

# What that client calls the two ways to end a run, where the interface says delete and keep.
_WORDS = {"onCompletion": {"complete": "delete", "continue": "keep"}}


def camel_case_twins(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, str]:
    """For an array schema that says `x-camel-case-twins`: the names of its items' properties by their twins."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if not schema.get("x-camel-case-twins"):
        return {}
    names = properties_of(schema["items"], schemas)
    return {_camel_case(name): name for name in names if "_" in name}


def take_twins(item: Any, twins: Mapping[str, str]) -> None:
    """Gives the item the names that it has only in camelCase."""
    if isinstance(item, dict):
        for twin in twins.keys() & item.keys():
            value = item[twin]
            words = _WORDS.get(twin, {})
            item.setdefault(twins[twin], words.get(value, value) if isinstance(value, str) else value)


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
