"""Each kind of change of an operation that is not one of its schemas."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.interface_tools.document import Document
from scripts.interface_tools.document_diff import compare

Json = dict[str, Any]


def parameter(name: str = "wind", **more: Any) -> Json:
    return {"name": name, "in": "query", "schema": {"type": "string"}, **more}


def answer(status: str = "200", media: str = "application/json", **more: Any) -> Json:
    return {status: {"description": "", "content": {media: {"schema": {}}}, **more}}


def header(**more: Any) -> Json:
    return {"headers": {"Location": {"schema": {"type": "string"}, **more}}}


def events(schema: Json | None) -> Json:
    described = {"schema": {}} if schema is None else {"schema": {}, "x-runyard-item-schema": schema}
    return {"responses": {"200": {"description": "", "content": {"text/event-stream": described}}}}


def body(media: str = "application/json", **more: Any) -> Json:
    return {"requestBody": {"content": {media: {"schema": {}}}, **more}}


def keys(old: Json, new: Json, *, breaking: bool) -> list[str]:
    """The keys of the differences between two definitions of one operation."""
    documents = (Document({"paths": {"/boats": {"get": {"operationId": "sail", **each}}}}) for each in (old, new))
    return [each.key.removeprefix("GET /boats: ") for each in compare(*documents) if each.breaks is breaking]


CHANGES = [
    # old, new, what breaks on the way from old to new, and on the way back
    ({}, {"parameters": [parameter()]}, [], ["query.wind: parameter removed"]),
    (
        {},
        {"parameters": [parameter(required=True)]},
        ["query.wind: required parameter added"],
        ["query.wind: parameter removed"],
    ),
    ({"parameters": [parameter()]}, {"parameters": [parameter(required=True)]}, ["query.wind: now required"], []),
    (
        {"parameters": [parameter()]},
        {"parameters": [parameter(explode=False)]},
        ["query.wind: explode changed"],
        ["query.wind: explode changed"],
    ),
    (
        {"parameters": [parameter()]},
        {"parameters": [parameter(schema={"type": "string", "enum": ["n"]})]},
        ["query.wind: only listed values"],
        [],
    ),
    ({}, body(), [], ["body: removed"]),
    ({}, body(required=True), ["body: added"], ["body: removed"]),
    (body(), body(required=True), ["body: now required"], []),
    (
        body("text/plain"),
        body(),
        ["body: text/plain: media type removed"],
        ["body: application/json: media type removed"],
    ),
    ({"responses": answer()}, {"responses": answer() | answer("201")}, ["201: status added"], ["201: status removed"]),
    ({"responses": answer()}, {"responses": answer() | answer("404")}, [], []),
    ({"responses": answer()}, {"responses": answer(**header())}, [], ["200: header location: removed"]),
    (
        {"responses": answer(**header(required=True))},
        {"responses": answer(**header())},
        ["200: header location: no longer required"],
        [],
    ),
    (
        {"responses": answer()},
        {"responses": answer(media="text/csv")},
        ["200: application/json: media type removed", "200: text/csv: media type added"],
        ["200: application/json: media type added", "200: text/csv: media type removed"],
    ),
    (
        events({"type": "object"}),
        events({"type": ["object", "null"]}),
        ["200: text/event-stream: event: null added as a type"],
        [],
    ),
    (events(None), events({}), [], ["200: text/event-stream: event: no longer described"]),
    ({"operationId": "sail"}, {"operationId": "row"}, ["operationId changed"], ["operationId changed"]),
    ({"x-sdk-name": "sail"}, {"x-sdk-name": "row"}, ["x-sdk-name changed"], ["x-sdk-name changed"]),
    ({}, {"security": [{"key": []}]}, ["security changed"], []),
]


@pytest.mark.parametrize(("old", "new", "there", "back"), CHANGES)
def test_changes_of_an_operation(old: Json, new: Json, there: list[str], back: list[str]) -> None:
    assert keys(old, new, breaking=True) == there
    assert keys(new, old, breaking=True) == back
    assert keys(old, new, breaking=True) or keys(old, new, breaking=False), "harmless changes are found too"
    assert keys(old, old, breaking=True) == keys(old, old, breaking=False) == []


def test_an_operation_that_is_removed_breaks_and_one_that_is_added_does_not() -> None:
    one, two = ({"paths": {path: {"get": {"operationId": path}} for path in paths}} for paths in (["/a"], ["/a", "/b"]))
    (removed,) = compare(Document(two), Document(one))
    (added,) = compare(Document(one), Document(two))
    assert (removed.key, removed.breaks) == ("GET /b: removed", True)
    assert (added.key, added.breaks) == ("GET /b: added", False)


def test_parameters_of_a_path_and_shared_ones_are_those_of_its_operations() -> None:
    shared = {"components": {"parameters": {"Wind": parameter()}}}
    by_path = {"paths": {"/a": {"parameters": [parameter()], "get": {"operationId": "a"}}}}
    by_name = {"paths": {"/a": {"get": {"operationId": "a", "parameters": [{"$ref": "#/components/parameters/Wind"}]}}}}
    assert compare(Document(by_path), Document(by_name | shared)) == []


def test_names_of_headers_have_no_case() -> None:
    assert (
        keys(
            {"parameters": [{**parameter("Wind"), "in": "header"}]},
            {"parameters": [{**parameter("wind"), "in": "header"}]},
            breaking=True,
        )
        == []
    )


def test_what_becomes_deprecated_is_told_and_breaks_nobody() -> None:
    old = {"parameters": [parameter()]}
    new = {"parameters": [parameter(deprecated=True)], "deprecated": True}
    assert keys(old, new, breaking=False) == ["deprecated", "query.wind: deprecated"]
    assert keys(old, new, breaking=True) == []
