"""The structure of the document, compared with that of the interface that stock clients are written for.

`reference.json` holds paths, parameters, property names, types, enumerations and status codes of the official
server's interface, and nothing else of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
ALL_TYPES = frozenset(("object", "array", "string", "number", "boolean", "null"))

OWN_PATHS = {"/", "/openapi.json"}
"""Paths that the reference does not list, although its server answers them."""

DEVIATIONS = {
    # The official server answers an empty list for an unknown status, in spite of its own document.
    ("/threads/{thread_id}/runs", "get", "query.status"),
}
PARTS = {"AssistantPart": "Assistant", "ThreadPart": "Thread", "RunPart": "Run"}
"""Answers that `select` may cut down. The reference says they are always whole, and they are not."""


def resolve(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        target = components[schema["$ref"].rpartition("/")[2]]
        schema = target | {key: value for key, value in schema.items() if key not in ("$ref", "type")}
    return schema


def types(schema: dict[str, Any], components: dict[str, Any]) -> frozenset[str]:
    """The JSON types that a schema lets through; integers count as numbers."""
    schema = resolve(schema, components)
    for keyword in ("anyOf", "oneOf"):
        branches = [branch for branch in schema.get(keyword, ()) if set(branch) != {"required"}]
        if branches:
            return frozenset().union(*(types(branch, components) for branch in branches))
    if "allOf" in schema:
        return frozenset(("object",))
    named = schema.get("type")
    if named is None:
        return ALL_TYPES
    return frozenset("number" if name == "integer" else name for name in ([named] if isinstance(named, str) else named))


def enums(schema: dict[str, Any], components: dict[str, Any]) -> list[Any] | None:
    """The values that a schema names, in itself, its items or its alternatives."""
    schema = resolve(schema, components)
    found = [*schema.get("enum", ())]
    for inner in [schema.get("items"), *schema.get("anyOf", ())]:
        if isinstance(inner, dict):
            found += enums(inner, components) or ()
    return sorted(set(map(str, found))) or None


def properties(schema: dict[str, Any], components: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Properties and required ones of an object schema, with those of the schemas that it extends."""
    schema = resolve(schema, components)
    found, required = dict(schema.get("properties", {})), set(schema.get("required", ()))
    for part in schema.get("allOf", ()):
        more, needed = properties(part, components)
        found, required = {**more, **found}, required | needed
    return found, required


@pytest.fixture(scope="module")
def ours(document):
    return document["components"]["schemas"]


def parameters(document, definition):
    shared = document["components"]["parameters"]
    items = [
        shared[item["$ref"].rpartition("/")[2]] if "$ref" in item else item for item in definition.get("parameters", ())
    ]
    return {f"{item['in']}.{item['name']}": item for item in items}


def test_paths_and_operation_ids(operations):
    for path, method, definition in operations:
        if path not in OWN_PATHS:
            assert definition["operationId"] == REFERENCE["paths"][path][method]["operationId"]


def test_parameters(document, operations, ours):
    for path, method, definition in operations:
        if path in OWN_PATHS:
            continue
        have = parameters(document, definition)
        for key, expected in REFERENCE["paths"][path][method]["parameters"].items():
            place = (path, method, key)
            assert key in have, place
            assert have[key].get("required", False) == expected["required"], place
            schema = have[key]["schema"]
            assert types(schema, ours) == types(expected["schema"], REFERENCE["schemas"]), place
            if place not in DEVIATIONS:
                assert enums(schema, ours) == enums(expected["schema"], REFERENCE["schemas"]), place


def test_bodies(operations):
    for path, method, definition in operations:
        if path in OWN_PATHS:
            continue
        content = definition.get("requestBody", {}).get("content", {})
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        assert (name or None) == REFERENCE["paths"][path][method]["body"], (path, method)


def test_status_codes_and_content_types(document, operations):
    for path, method, definition in operations:
        if path in OWN_PATHS:
            continue
        for status, content in REFERENCE["paths"][path][method]["responses"].items():
            answer = definition["responses"].get(status)
            assert answer is not None, (path, method, status)
            if "$ref" in answer:
                answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert set(content) <= set(answer.get("content", {})), (path, method, status)


def test_schemas(ours):
    compared = 0
    for name, schema in ours.items():
        expected = REFERENCE["schemas"].get(PARTS.get(name, name))
        if expected is None:
            continue
        compared += 1
        have, have_required = properties(schema, ours)
        wanted, wanted_required = properties(expected, REFERENCE["schemas"])
        assert set(wanted) <= set(have), name
        if name not in PARTS:
            assert wanted_required <= have_required, name
        if "Create" in name or name.endswith(("Request", "Cancel", "Patch", "Update", "Search")):
            assert have_required == wanted_required, f"{name}: a client may leave out what the reference lets it"
        for key, inner in wanted.items():
            place = f"{name}.{key}"
            assert types(inner, REFERENCE["schemas"]) <= types(have[key], ours), place
            expected_values = enums(inner, REFERENCE["schemas"])
            if expected_values is not None:
                assert enums(have[key], ours) == expected_values, place
    assert compared > 10
