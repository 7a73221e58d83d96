"""The schemas of answers, closed: a field that the schema does not name is a violation.

It may be one that is misspelt, although clients have to put up with fields that they do not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runyard.handlers.contract.faults import Checked

_OPEN = ("additionalProperties", "unevaluatedProperties")


def closed(schema: Any) -> Any:
    """The schema, refusing fields that it does not name, but where it says itself which others there may be."""
    if not isinstance(schema, dict):
        return schema
    result = dict(schema)
    for keyword in ("properties", "patternProperties"):
        if keyword in schema:
            result[keyword] = {name: closed(each) for name, each in schema[keyword].items()}
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            result[keyword] = closed(schema[keyword])
    for keyword in ("anyOf", "oneOf", "prefixItems"):
        if keyword in schema:
            result[keyword] = [closed(each) for each in schema[keyword]]
    if "properties" in schema and not any(keyword in schema for keyword in _OPEN):
        result["unevaluatedProperties"] = False
    return result


class _Closed(dict[str, dict[str, Any]]):
    """The schemas of a document by name, each closed when it is first asked for."""

    def __init__(self, schemas: Mapping[str, Any], *, whole: bool) -> None:
        super().__init__()
        self._open = schemas
        self._whole = whole

    def __missing__(self, name: str) -> dict[str, Any]:
        schema = self._open[name]
        if self._whole and "x-runyard-part-of" in schema:
            self[name] = {"$ref": f"#/components/schemas/{schema['x-runyard-part-of']}"}
        else:
            self[name] = closed(schema)
        return self[name]


class Schemas:
    """Compiles schemas of answers, closed. With `whole`, objects that `select` may cut down have to be complete."""

    def __init__(self, schemas: Mapping[str, Any], *, whole: bool) -> None:
        self._schemas = _Closed(schemas, whole=whole)

    def compile(self, schema: Mapping[str, Any]) -> Checked:
        """The schema, closed."""
        return Checked(closed(schema), self._schemas)

    def alternatives(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The schemas between which `anyOf` leaves the choice, however it is nested."""
        target = self._schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        if "anyOf" not in target:
            yield target
        for each in target.get("anyOf", ()):
            yield from self.alternatives(each)
