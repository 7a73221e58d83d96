"""Schemas that values are held against, and finding what in a value does not fit, one fault after the other.

`jsonschema_rs` says in no time whether a value fits. What it says of one that does not, it makes all at once, each
error with a copy of what it is about: gigabytes for a body of a megabyte. So it is only asked whether parts fit here,
and what does not is descended to: finding a fault costs a few looks at the value, and nothing is copied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

Path = tuple[str | int, ...]

_SHAPE = ("type", "enum", "const")
_FINAL = ("type", "maxItems", "maxProperties")
"""What does not fit these is not looked into."""
_OWN = (
    *_SHAPE,
    *("format", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("multipleOf", "minItems", "maxItems", "minProperties", "maxProperties", "required", "not"),
)
"""The keywords that can be held against a value alone, whatever stands beside them."""
_SLICE = 256
"""Items of an array that are looked at together."""
_TOLD = 4
"""Faults that are looked for in each alternative."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    path: where, within the value. value: what stands there. keyword: what of the schema it does not fit. wanted: what
    that asks for; of `required`, a name that is missing; of `anyOf` and `oneOf`, the first faults by each alternative,
    or nothing where several fit; of `unevaluatedProperties`, the names that are not known.
    """

    path: Path
    value: Any
    keyword: str
    wanted: Any


def referred(schema: Any, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas that a schema refers to, directly or through others, by name."""
    found: dict[str, Any] = {}
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            if isinstance(reference := part.get("$ref"), str) and (name := reference.rpartition("/")[2]) not in found:
                found[name] = schemas[name]
                pending.append(schemas[name])
            pending += part.values()
    return found


class Checked:
    """A schema, compiled: whether values fit it, and the faults of those that do not."""

    def __init__(self, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
        """`schemas`: what references to `#/components/schemas` find."""
        self._schema = dict(schema)
        self._schemas = schemas
        # By identity: all are parts of one document, which stays.
        self._validators: dict[tuple[int, str], jsonschema_rs.Draft202012Validator] = {}
        self.is_valid = self._validator(self._schema, "").is_valid

    def faults(self, value: Any) -> Iterator[Fault]:
        """The faults of a value, from the outside to the inside; none when it fits."""
        return self._faults(self._schema, value, ())

    def _validator(self, schema: Any, keyword: str) -> jsonschema_rs.Draft202012Validator:
        """Of the whole schema, of one keyword of it, or with `[]` of arrays of it."""
        key = (id(schema), keyword)
        if key not in self._validators:
            part = schema if not keyword else {"items": schema} if keyword == "[]" else {keyword: schema[keyword]}
            if needed := referred(part, self._schemas):
                # Not all of them: a validator has a copy of each.
                part = {**part, "components": {"schemas": needed}}
            self._validators[key] = jsonschema_rs.Draft202012Validator(part, validate_formats=True)
        return self._validators[key]

    def _fits(self, schema: Any, value: Any, keyword: str = "") -> bool:
        return schema is True or self._validator(schema, keyword).is_valid(value)

    def _faults(self, schema: Any, value: Any, path: Path) -> Iterator[Fault]:
        if self._fits(schema, value):
            return
        if schema is False:
            yield Fault(path, value, "false", None)
            return
        told = False
        for fault in self._own_faults(schema, value, path):
            told = True
            yield fault
            if fault.keyword in _FINAL:
                return
        for fault in self._faults_of_parts(schema, value, path):
            told = True
            yield fault
        if not told and "unevaluatedProperties" in schema and isinstance(value, dict):
            yield Fault(path, value, "unevaluatedProperties", sorted(value.keys() - self._named(schema)))

    def _own_faults(self, schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[Fault]:
        """What is wrong with the value itself, whatever its parts are."""
        for keyword in _OWN:
            if keyword not in schema or self._fits(schema, value, keyword):
                continue
            if keyword == "required":
                yield from (Fault(path, value, keyword, name) for name in schema[keyword] if name not in value)
            else:
                yield Fault(path, value, keyword, schema[keyword])

    def _faults_of_parts(self, schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[Fault]:
        """What is wrong by the schemas that this one is made of, for the value or for what it holds."""
        if "$ref" in schema:
            yield from self._faults(self._referred(schema), value, path)
        for part in schema.get("allOf", ()):
            yield from self._faults(part, value, path)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema and not self._fits(schema, value, keyword):
                yield from self._faults_of_alternatives(schema[keyword], value, path, keyword)
        if isinstance(value, dict):
            yield from self._faults_of_properties(schema, value, path)
        elif isinstance(value, list):
            yield from self._faults_of_items(schema, value, path)

    def _faults_of_alternatives(self, alternatives: list[Any], value: Any, path: Path, keyword: str) -> Iterator[Fault]:
        """Those by the one alternative that is meant, where the value has the shape of that one only."""
        every = [[*islice(self._faults(each, value, path), _TOLD)] for each in alternatives]
        if not all(every):
            yield Fault(path, value, keyword, [])
            return
        meant = [
            alternative
            for alternative, faults in zip(alternatives, every, strict=True)
            if not any(fault.keyword in _SHAPE and len(fault.path) <= len(path) for fault in faults)
        ]
        if len(meant) == 1:
            yield from self._faults(meant[0], value, path)
        else:
            yield Fault(path, value, keyword, every)

    def _faults_of_properties(self, schema: Mapping[str, Any], value: dict[str, Any], path: Path) -> Iterator[Fault]:
        named = schema.get("properties", {})
        for name in named:
            if name in value:
                yield from self._faults(named[name], value[name], (*path, name))
        patterns = schema.get("patternProperties", {})
        others = schema.get("additionalProperties", True)
        if patterns or others is not True:
            for name in value:
                matching = [patterns[pattern] for pattern in patterns if re.search(pattern, name)]
                for each in matching or ([] if name in named else [others]):
                    yield from self._faults(each, value[name], (*path, name))

    def _faults_of_items(self, schema: Mapping[str, Any], value: list[Any], path: Path) -> Iterator[Fault]:
        first = schema.get("prefixItems", ())
        for place, (each, item) in enumerate(zip(first, value, strict=False)):
            yield from self._faults(each, item, (*path, place))
        if "items" not in schema:
            return
        for start in range(len(first), len(value), _SLICE):
            items = value[start : start + _SLICE]
            if not self._fits(schema["items"], items, "[]"):
                for place, item in enumerate(items, start):
                    yield from self._faults(schema["items"], item, (*path, place))

    def _referred(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._schemas[schema["$ref"].rpartition("/")[2]]
        return found

    def _named(self, schema: Any) -> set[str]:
        """The properties that a schema names, with those of the schemas that it is made of."""
        if not isinstance(schema, dict):
            return set()
        parts = [*schema.get("allOf", ()), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if "$ref" in schema:
            parts.append(self._referred(schema))
        return {*schema.get("properties", ())}.union(*map(self._named, parts))
