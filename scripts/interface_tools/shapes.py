"""Schemas brought into one form, so that the same set of values written in two ways compares as equal.

A schema becomes a list of alternatives of one JSON type each: references are followed, `allOf` is merged, `anyOf`,
`oneOf`, lists of types and `nullable` are spread out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .document import Document, component_of

TYPES = ("array", "boolean", "null", "number", "object", "string")
ANNOTATIONS = frozenset(
    (
        *("title", "description", "example", "examples", "default", "deprecated", "discriminator", "externalDocs"),
        *("xml", "nullable", "type", "$comment", "$schema", "$id", "$defs"),
    )
)
"""Keywords that restrict nothing, or (`type`, `nullable`) that are looked at by themselves."""
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
MAX_DEPTH = 40

_ONLY_FOR = {
    "string": "minLength maxLength pattern contentMediaType contentEncoding contentSchema",
    "number": "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf",
    "array": "items prefixItems minItems maxItems uniqueItems contains minContains maxContains unevaluatedItems",
    "object": "properties required additionalProperties minProperties maxProperties patternProperties propertyNames"
    " unevaluatedProperties dependentRequired dependentSchemas conditions",
}
_TYPE_OF_KEYWORD = {keyword: name for name, keywords in _ONLY_FOR.items() for keyword in keywords.split()}


@dataclass(frozen=True)
class Field:
    """A property, and the component that says it (None: the schema itself)."""

    schema: Any
    owner: str | None


@dataclass
class Alternative:
    """Values of one type. `integral` numbers are whole."""

    type: str
    keywords: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    integral: bool = False
    component: str | None = None

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self.keywords.get("required", ()))


def alternatives(document: Document, schema: Any, depth: int = 0) -> list[Alternative]:
    """The alternatives of a schema; none when nothing fits it."""
    if schema is False or depth > MAX_DEPTH:
        return []
    name = component_of(schema) if schema is not True and set(schema) - ANNOTATIONS == {"$ref"} else None
    keywords, fields = _flatten(document, {} if schema is True else schema, None, depth)
    for choice in ("anyOf", "oneOf"):
        if choice in keywords:
            rest = {key: value for key, value in keywords.items() if key != choice}
            return _spread(document, rest, fields, keywords[choice], depth)
    found = list(_by_type(keywords, fields))
    if name is not None and len(found) == 1:
        found[0].component = name
    return found


def _spread(
    document: Document, rest: dict[str, Any], fields: dict[str, Field], branches: Any, depth: int
) -> list[Alternative]:
    found = []
    restricting = bool(set(rest) - ANNOTATIONS) or bool(fields) or "type" in rest
    for branch in branches:
        if not restricting:
            found += alternatives(document, branch, depth + 1)
            continue
        keywords, own = _flatten(document, branch if isinstance(branch, Mapping) else {}, None, depth + 1)
        merged = _merge(rest, keywords)
        found += list(_by_type(merged, fields | own))
    if rest.get("nullable") is True:
        found.append(Alternative("null"))
    return found


def _flatten(
    document: Document, schema: Mapping[str, Any], owner: str | None, depth: int
) -> tuple[dict[str, Any], dict[str, Field]]:
    """The keywords of a schema with those that it refers to or extends, and its properties."""
    if depth > MAX_DEPTH:
        return {}, {}
    keywords: dict[str, Any] = {}
    fields: dict[str, Field] = {}
    parts = [*schema.get("allOf", ())]
    if "$ref" in schema:
        parts.insert(0, {"$ref": schema["$ref"]})
    for part in parts:
        if not isinstance(part, Mapping):
            continue
        reference = part.get("$ref")
        if reference is not None and set(part) - ANNOTATIONS == {"$ref"}:
            inner, more = _flatten(document, document.target(reference), component_of(part), depth + 1)
        else:
            inner, more = _flatten(document, part, owner, depth + 1)
        keywords, fields = _merge(keywords, inner), fields | more
    own = {key: value for key, value in schema.items() if key not in ("allOf", "$ref", "properties")}
    for choice in ("anyOf", "oneOf"):
        # Which properties go together is no choice between kinds of values.
        if choice in own and all(isinstance(each, Mapping) and set(each) == {"required"} for each in own[choice]):
            own["conditions"] = {choice: own.pop(choice)}
    fields |= {name: Field(inner, owner) for name, inner in schema.get("properties", {}).items()}
    return _merge(keywords, own), fields


def _merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of two schemas that both have to fit."""
    merged = {**one, **other}
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        if key == "required":
            merged[key] = sorted({*first, *second})
        elif key == "type":
            merged[key] = sorted(_types({"type": first}) & _types({"type": second}))
        elif key == "enum":
            merged[key] = [value for value in first if value in second]
        elif key in LOWER:
            merged[key] = max(first, second)
        elif key in UPPER:
            merged[key] = min(first, second)
    return merged


def _types(keywords: Mapping[str, Any]) -> set[str]:
    named = keywords.get("type")
    if named is None:
        return {*TYPES}
    found = {named} if isinstance(named, str) else {*named}
    return found | {"integer"} if "number" in found else found


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _by_type(keywords: Mapping[str, Any], fields: dict[str, Field]) -> Iterator[Alternative]:
    allowed = _types(keywords)
    values = [keywords["const"]] if "const" in keywords else keywords.get("enum")
    if keywords.get("nullable") is True and "type" in keywords:
        allowed.add("null")
    for name in TYPES:
        integral = name == "number" and "number" not in allowed and "integer" in allowed
        if name not in allowed and not integral:
            continue
        fitting = None if values is None else [value for value in values if _type_of(value) == name]
        if fitting == []:
            continue
        kept = {
            key: value
            for key, value in keywords.items()
            if key not in ANNOTATIONS
            and not key.startswith("x-")
            and key not in ("enum", "const")
            and _TYPE_OF_KEYWORD.get(key, name) == name
            and (key != "format" or name in ("string", "number"))
        }
        if fitting is not None and name != "null":
            kept["enum"] = fitting
        yield Alternative(name, kept, fields if name == "object" else {}, integral)
