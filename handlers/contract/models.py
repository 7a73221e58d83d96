"""Making the generated dataclasses from bodies that were already held against the document.

`msgspec.convert` checks and sets field by field, which for the many optional fields of a run takes four times as
long as calling the class. Since the values are known to fit, only those that become classes of their own, or may
be whole numbers written with a fraction, go through it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import msgspec


def constructor(target: Any) -> Callable[[Any], Any]:
    """A function that makes a `target`, a dataclass or a list of one, from JSON that fits its schema.

    Keys that the class does not have are left out.
    """
    if get_origin(target) is list:
        make = constructor(get_args(target)[0])
        return lambda items: [make(item) for item in items]
    if not is_dataclass(target):
        raise TypeError(f"{target} is neither a dataclass nor a list of one")
    cls: Any = target
    hints = get_type_hints(cls)
    names = {field.name for field in fields(cls)}
    converted = {name: hints[name] for name in names if _needs_conversion(hints[name])}

    def make_one(item: dict[str, Any]) -> Any:
        known = {key: value for key, value in item.items() if key in names}
        for name in converted.keys() & known.keys():
            # Lax, since JSON Schema takes 1.0 for an integer.
            known[name] = msgspec.convert(known[name], converted[name], strict=False)
        return cls(**known)

    return make_one


def changes(names: Collection[str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function that keeps of a JSON object what has one of these names: a dataclass would lose the difference
    between what is absent and stays as it is, and what is given."""
    return lambda item: {key: value for key, value in item.items() if key in names}


def properties_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that an object schema names, with those of the schemas that it refers to or extends."""
    found: dict[str, Any] = {}
    if "$ref" in schema:
        found |= properties_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for part in schema.get("allOf", ()):
        found |= properties_of(part, schemas)
    found |= schema.get("properties", {})
    return found


def _needs_conversion(hint: Any) -> bool:
    return hint is int or is_dataclass(hint) or any(map(_needs_conversion, get_args(hint)))
