"""The structure of the document, compared with that of the interface that stock clients are written for.

`reference.json` holds paths, parameters, property names, types, enumerations and status codes of the official
server's interface, and nothing else of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .documents import Document, Operation, Schema, body_of, parameters_of

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))
ALL_TYPES = frozenset(("object", "array", "string", "number", "boolean", "null"))

OWN_PATHS = {"/", "/openapi.json", "/runs/{run_id}", "/runs/{run_id}/stream", "/guides", "/guides/{name}"}
"""Paths that the reference does not list: its server answers them or clients ask for them, or they are extensions."""
TAGS = {"Assistants", "Threads", "Thread Runs", "Stateless Runs"}
"""All operations with these tags are there."""

# Where the reference's own server, and the clients that are written for it, do not keep to the reference.
LATEST = ("/assistants/{assistant_id}/latest", "post")
VERSIONS = ("/assistants/{assistant_id}/versions", "post")
FREE_PARAMETERS = {
    # An unknown status matches nothing, an unknown action is found out after the run.
    ("/threads/{thread_id}/runs", "get", "query.status"),
    ("/threads/{thread_id}/runs/{run_id}/cancel", "post", "query.action"),
}
REPEATED_PARAMETERS = {
    # Clients send a list by repeating it.
    ("/threads/{thread_id}/runs/{run_id}/stream", "get", "query.stream_mode"),
}
MISSING_PARAMETERS = {(*LATEST, "query.version")}  # it is in the body
BODIES = {LATEST: "AssistantVersionChange", VERSIONS: "AssistantVersionsSearchRequest"}
DELETED = "204"  # the answer to DELETE, where the reference has 200
PARTS = {"AssistantPart": "Assistant", "ThreadPart": "Thread", "RunPart": "Run", "ThreadStatePart": "ThreadState"}
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
def ours(document: Document) -> dict[str, Schema]:
    schemas: dict[str, Schema] = document["components"]["schemas"]
    return schemas


def test_all_operations_are_there(operations: list[Operation]) -> None:
    have = {(path, method) for path, method, _ in operations}
    for path, item in REFERENCE["paths"].items():
        for method, definition in item.items():
            if definition["tag"] in TAGS:
                assert (path, method) in have


def test_paths_and_operation_ids(operations: list[Operation]) -> None:
    for path, method, definition in operations:
        if path not in OWN_PATHS:
            assert definition["operationId"] == REFERENCE["paths"][path][method]["operationId"]


def test_parameters(document: Document, operations: list[Operation], ours: dict[str, Schema]) -> None:
    for path, method, definition in operations:
        if path in OWN_PATHS:
            continue
        have = {f"{item['in']}.{item['name']}": item for item in parameters_of(definition, document)}
        for key, expected in REFERENCE["paths"][path][method]["parameters"].items():
            place = (path, method, key)
            if place in MISSING_PARAMETERS:
                continue
            assert key in have, place
            assert have[key].get("required", False) == expected["required"], place
            schema = have[key]["schema"]
            if place in REPEATED_PARAMETERS:
                assert schema["type"] == "array"
                schema = schema["items"]
            assert types(schema, ours) == types(expected["schema"], REFERENCE["schemas"]), place
            if place not in FREE_PARAMETERS:
                assert enums(schema, ours) == enums(expected["schema"], REFERENCE["schemas"]), place


def test_bodies(operations: list[Operation]) -> None:
    for path, method, definition in operations:
        if path in OWN_PATHS:
            continue
        name = body_of(definition).get("schema", {}).get("$ref", "").rpartition("/")[2]
        expected = BODIES.get((path, method), REFERENCE["paths"][path][method]["body"])
        assert (name or None) == expected, (path, method)


def test_status_codes_and_content_types(document: Document, operations: list[Operation]) -> None:
    for path, method, definition in operations:
        if path in OWN_PATHS:
            continue
        for status, content in REFERENCE["paths"][path][method]["responses"].items():
            if method == "delete" and status == "200":
                assert DELETED in definition["responses"], path
                continue
            answer = definition["responses"].get(status)
            assert answer is not None, (path, method, status)
            if "$ref" in answer:
                answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert set(content) <= set(answer.get("content", {})), (path, method, status)


def test_schemas(ours: dict[str, Schema]) -> None:
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
