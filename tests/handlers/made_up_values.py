"""Values made up from a JSON schema, with Hypothesis.

A strategy of our own, since hypothesis-jsonschema calls internals of Hypothesis that are no longer there, and ends with
Draft 7. It reads the keywords in `KEYWORDS`, of Draft 2020-12, which are those that the document's bodies use;
`not` is left to whoever validates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from .documents import Schema

KEYWORDS = frozenset(
    {
        *("$ref", "allOf", "anyOf", "oneOf", "not", "type", "enum", "format", "pattern"),
        *("properties", "required", "additionalProperties", "maxProperties", "items", "minItems", "maxItems"),
        *("minLength", "maxLength", "minimum", "maximum"),
    }
)
ANNOTATIONS = frozenset({"description", "default", "deprecated", "x-camel-case-twins", "x-runyard-extension"})
FORMATS: dict[str, st.SearchStrategy[str]] = {
    "uuid": st.uuids().flatmap(lambda made: st.sampled_from([str(made), str(made).upper()])),
    "uri-reference": st.from_regex(
        r"(https?://[a-z0-9.]{1,9}(:[0-9]{1,5})?)?/([a-z0-9/]|%[0-9A-F]{2}){0,9}(\?[a-z=&]*)?", fullmatch=True
    ),
}
Components = Mapping[str, Schema]

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def made_from(schema: Schema, components: Components) -> st.SearchStrategy[Any]:
    """Values that fit the schema, or nearly all of which do: who needs to know asks a validator."""
    schema = _flat(schema, components)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            rest = {key: value for key, value in schema.items() if key != keyword}
            return st.one_of([made_from({**rest, "allOf": [each]}, components) for each in schema[keyword]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type")
    if kinds is None:
        return ANY_JSON
    return st.one_of([_of_type(kind, schema, components) for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def _flat(schema: Schema, components: Components) -> Schema:
    """The schema with what it refers to and all of its allOf in one: properties and required ones of them together."""
    parts = [components[schema["$ref"].rpartition("/")[2]]] if "$ref" in schema else []
    parts += schema.get("allOf", [])
    flat: Schema = {}
    for part in [*(_flat(part, components) for part in parts), schema]:
        properties = {**flat.get("properties", {}), **part.get("properties", {})}
        required = [*flat.get("required", ()), *part.get("required", ())]
        flat |= {key: value for key, value in part.items() if key not in ("$ref", "allOf")}
        flat |= {"properties": properties, "required": required}
    return flat


def _of_type(kind: str, schema: Schema, components: Components) -> st.SearchStrategy[Any]:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            whole = st.integers(lowest, highest)
            return whole | whole.filter(lambda number: abs(number) < 2**53).map(float)
        case "number":
            numbers = st.floats(lowest, highest, allow_nan=False, allow_infinity=False)
            return numbers | st.integers(lowest, highest)
        case "string":
            return _text(schema)
        case "array":
            return st.lists(
                made_from(schema.get("items", {}), components), min_size=schema.get("minItems", 0), max_size=3
            )
        case "object":
            return _object(schema, components)
        case _:
            raise ValueError(f"unknown type {kind}")


def _text(schema: Schema) -> st.SearchStrategy[str]:
    if "format" in schema:
        return FORMATS[schema["format"]]
    if "pattern" in schema:
        return st.from_regex(re.compile(schema["pattern"]), fullmatch=True)
    return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 9), 9))


def _object(schema: Schema, components: Components) -> st.SearchStrategy[dict[str, Any]]:
    properties, required = schema.get("properties", {}), set(schema.get("required", ()))
    made = {name: made_from(each, components) for name, each in properties.items()}
    known = st.fixed_dictionaries(
        {name: made.get(name, ANY_JSON) for name in sorted(required)},
        optional={name: each for name, each in made.items() if name not in required},
    )
    others = schema.get("additionalProperties", True)
    if others is False:
        return known
    most = min(schema.get("maxProperties", 3), 3)
    inner = ANY_JSON if others is True else made_from(others, components)
    further = st.dictionaries(st.text(max_size=8), inner, max_size=most)
    return st.tuples(further, known).map(lambda pair: {**pair[0], **pair[1]})
