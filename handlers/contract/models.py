"""Making the generated dataclasses from JSON that was already validated against the document.

`msgspec.convert` checks and sets field by field, which for the many optional fields of a run takes four times as
long as calling the class. Since the values are known to fit, only those that become classes of their own, or may
be whole numbers written with a fraction, go through it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import msgspec


@cache
def model_maker(target: Any) -> Callable[[Any], Any]:
    """A function that makes a `target`, a dataclass or a list of one, from JSON that fits its schema.

    Keys that the class does not have are left out; those of a TypedDict stay, whether it names them or not. Raises
    TypeError for a class that this cannot be kept for.
    """
    if get_origin(target) is list:
        make = model_maker(get_args(target)[0])
        return lambda items: [make(item) for item in items]
    if not is_dataclass(target):
        raise TypeError(f"{target} is neither a dataclass nor a list of one")
    cls: Any = target
    hints = get_type_hints(cls)
    names = {field.name for field in fields(cls)}
    converted = {name: hints[name] for name in names if _needs_conversion(hints[name])}
    for name, hint in converted.items():
        if _has_typed_dict(hint, set()):
            raise TypeError(f"{cls.__name__}.{name}: msgspec would drop keys that a TypedDict in it does not name")

    def make_one(item: dict[str, Any]) -> Any:
        known = {key: value for key, value in item.items() if key in names}
        for name in converted.keys() & known.keys():
            # Lax, since JSON Schema takes 1.0 for an integer.
            known[name] = msgspec.convert(known[name], converted[name], strict=False)
        return cls(**known)

    return make_one


def field_picker(names: Collection[str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function that picks the given fields with one of these names out of a JSON object.

    For changes: a dataclass would lose the difference between a field that is absent, and stays as it is, and one
    that is given.
    """
    return lambda item: {key: value for key, value in item.items() if key in names}


def schema_properties(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that an object schema names, with those of the schemas that it refers to or extends."""
    found: dict[str, Any] = {}
    if "$ref" in schema:
        found |= schema_properties(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for part in schema.get("allOf", ()):
        found |= schema_properties(part, schemas)
    found |= schema.get("properties", {})
    return found


def _has_typed_dict(hint: Any, seen: set[Any]) -> bool:
    """Whether a value of this type may hold a TypedDict, at any depth."""
    if is_typeddict(hint):
        return True
    inner = list(get_args(hint))
    if is_dataclass(hint) and hint not in seen:
        seen.add(hint)
        inner += get_type_hints(hint).values()
    return any(_has_typed_dict(each, seen) for each in inner)


def _needs_conversion(hint: Any) -> bool:
    return hint is int or is_dataclass(hint) or any(map(_needs_conversion, get_args(hint)))
