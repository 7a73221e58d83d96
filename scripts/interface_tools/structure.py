"""The structure of a document, without its words: what is kept of another project's interface."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .document import Document

_SCHEMA = ("$ref", "type", "nullable", "enum", "const", "required")
_LISTS = ("anyOf", "oneOf", "allOf")


def structure_of(document: Document) -> dict[str, Any]:
    """A document with operations, parameters, bodies, statuses, media types and schemas, and of these the fields,
    types, enumerations and what is required. Its `info` has the version alone."""
    paths: dict[str, dict[str, Any]] = {}
    for name, operation in document.operations().items():
        method, _, path = name.partition(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(document, operation)
    schemas = document.components.get("schemas", {})
    return {
        "openapi": str(document.content.get("openapi", "")),
        "info": {"version": document.version},
        "paths": paths,
        "components": {"schemas": {name: schema_structure(schema) for name, schema in sorted(schemas.items())}},
    }


def _operation(document: Document, operation: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: operation[key] for key in ("operationId", "tags") if key in operation}
    parameters = document.parameters(operation)
    if parameters:
        kept["parameters"] = [
            {key: each[key] for key in ("name", "in", "required") if each.get(key)}
            | {"schema": schema_structure(each.get("schema", {}))}
            for each in parameters.values()
        ]
    if "requestBody" in operation:
        body = document.follow(operation["requestBody"])
        kept["requestBody"] = {"required": body.get("required", False), "content": _content(body)}
    kept["responses"] = {}
    for status, answer in operation.get("responses", {}).items():
        content = _content(document.follow(answer))
        # All errors look alike.
        kept["responses"][status] = {"content": content if status < "4" else {media: {} for media in content}}
    return kept


def _content(node: Mapping[str, Any]) -> dict[str, Any]:
    schemas = {media: schema_structure(each.get("schema", {})) for media, each in node.get("content", {}).items()}
    return {media: {"schema": schema} if schema else {} for media, schema in schemas.items()}


def schema_structure(schema: Any) -> Any:
    """A schema without words, bounds, formats and defaults."""
    if not isinstance(schema, Mapping):
        return schema
    kept = {key: schema[key] for key in _SCHEMA if key in schema}
    for key in _LISTS:
        if key in schema:
            kept[key] = [schema_structure(each) for each in schema[key]]
    for key in ("items", "additionalProperties"):
        if key in schema:
            kept[key] = schema_structure(schema[key])
    if "properties" in schema:
        kept["properties"] = {name: schema_structure(each) for name, each in schema["properties"].items()}
    return kept


def write(structure: Mapping[str, Any]) -> str:
    """The structure as JSON with a line for each operation and each schema, so that versions can be compared."""

    def short(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    def lines(entries: Mapping[str, Any]) -> str:
        return ",\n".join(f"  {short(name)}: {value}" for name, value in entries.items())

    paths = {
        path: "{\n" + ",\n".join(f"    {short(method)}: {short(each)}" for method, each in item.items()) + "}"
        for path, item in structure["paths"].items()
    }
    schemas = {name: short(each) for name, each in structure["components"]["schemas"].items()}
    head = f'"openapi": {short(structure["openapi"])}, "info": {short(structure["info"])}'
    components = f'"components": {{"schemas": {{\n{lines(schemas)}\n}}}}'
    return f'{{{head},\n"paths": {{\n{lines(paths)}\n}},\n{components}}}\n'
