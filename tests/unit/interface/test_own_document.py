"""Changes made on copies of the project's own document: what breaks clients is caught, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.interface_tools.document import Document
from scripts.interface_tools.document_diff import compare

ROOT = Path(__file__).parents[3]
DOCUMENT = json.loads((ROOT / "generated" / "openapi.json").read_text("utf-8"))
Edit = Callable[[Any], object]


def schema(document: Any, name: str) -> Any:
    return document["components"]["schemas"][name]


def field(document: Any, name: str, key: str) -> Any:
    return schema(document, name)["properties"][key]


def operation(document: Any, path: str, method: str) -> Any:
    return document["paths"][path][method]


def limit_of_runs(document: Any) -> Any:
    parameters = operation(document, "/threads/{thread_id}/runs", "get")["parameters"]
    return next(each for each in parameters if each.get("name") == "limit")


NEW_PARAMETER = {"name": "since", "in": "query", "schema": {"type": "string"}}

BREAKING: dict[str, Edit] = {
    "DELETE /threads/{thread_id}: removed": lambda doc: doc["paths"]["/threads/{thread_id}"].pop("delete"),
    "POST /runs: query.since: required parameter added": lambda doc: operation(doc, "/runs", "post").update(
        parameters=[{**NEW_PARAMETER, "required": True}]
    ),
    "RunCreateStateless (request): webhook: field removed": lambda doc: schema(doc, "RunCreateStateless")[
        "properties"
    ].pop("webhook"),
    "Run (answer): metadata: no longer required": lambda doc: schema(doc, "Run")["required"].remove("metadata"),
    "RunStatus (answer): value 'paused' added": lambda doc: schema(doc, "RunStatus")["enum"].append("paused"),
    "StreamMode (request): value 'debug' removed": lambda doc: schema(doc, "StreamMode")["enum"].remove("debug"),
    "RunCreateStateless (request): webhook: maxLength lowered": lambda doc: field(
        doc, "RunCreateStateless", "webhook"
    ).update(maxLength=100),
    "POST /runs: 200: header content-location: removed": lambda doc: operation(doc, "/runs", "post")["responses"][
        "200"
    ].pop("headers"),
    "GET /threads/{thread_id}/runs: query.limit: default changed": lambda doc: limit_of_runs(doc)["schema"].update(
        default=7
    ),
}

HARMLESS: dict[str, Edit] = {
    "an optional parameter": lambda doc: operation(doc, "/runs", "post")["parameters"].append(NEW_PARAMETER),
    "an optional field of a request": lambda doc: schema(doc, "RunCreateStateless")["properties"].update(
        mood={"type": "string"}
    ),
    "a field of an answer": lambda doc: schema(doc, "Run")["properties"].update(mood={"type": "string"}),
    "a higher limit": lambda doc: field(doc, "RunCreateStateless", "webhook").update(maxLength=100_000),
    "an answer's field that is always there": lambda doc: schema(doc, "Interrupt")["required"].append("id"),
    "a pattern of an answer's field": lambda doc: field(doc, "ErrorResponse", "detail").update(pattern="."),
    "an event that streams no longer have": lambda doc: field(doc, "BatchStreamEvent", "event")["enum"].remove("end"),
    "an error that is declared": lambda doc: operation(doc, "/runs", "post")["responses"].update(
        {"500": {"$ref": "#/components/responses/Unavailable"}}
    ),
    "an operation": lambda doc: doc["paths"]["/runs"].update(get={"operationId": "list_runs", "responses": {}}),
}


def changed(edit: Edit) -> Document:
    document = copy.deepcopy(DOCUMENT)
    edit(document)
    assert document != DOCUMENT
    return Document(document)


@pytest.mark.parametrize("key", BREAKING)
def test_a_change_that_breaks_clients_is_caught(key: str) -> None:
    found = compare(Document(DOCUMENT), changed(BREAKING[key]))
    assert key in [each.key for each in found if each.breaks]


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_is_told_and_passes(name: str) -> None:
    found = compare(Document(DOCUMENT), changed(HARMLESS[name]))
    assert found
    assert [each.key for each in found if each.breaks] == []
