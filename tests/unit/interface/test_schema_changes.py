"""Each kind of change of a schema, as it is and the other way round, in a request and in an answer."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.interface_tools.changes import Finding
from scripts.interface_tools.document import Document
from scripts.interface_tools.document_diff import compare

Json = dict[str, Any]


def document(request: Any, answer: Any, schemas: Json | None = None) -> Document:
    """One operation that takes the one schema and answers the other."""
    operation = {
        "operationId": "sail",
        "requestBody": {"content": {"application/json": {"schema": request}}},
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": answer}}}},
    }
    return Document({"paths": {"/boats": {"post": operation}}, "components": {"schemas": schemas or {}}})


def differences(old: Any, new: Any, old_schemas: Json | None = None, new_schemas: Json | None = None) -> list[Finding]:
    """The differences of two schemas in a request, then those in an answer."""
    found = compare(document(old, {}, old_schemas), document(new, {}, new_schemas))
    return found + compare(document({}, old, old_schemas), document({}, new, new_schemas))


def sides(findings: list[Finding]) -> set[str]:
    """Where clients break."""
    return {
        "request" if "body" in each.key or "(request)" in each.key else "answer" for each in findings if each.breaks
    }


def fields(required: list[str] | None = None, **properties: Any) -> Json:
    return {"type": "object", "properties": properties, "required": required or []}


TEXT, NUMBER = {"type": "string"}, {"type": "number"}

NARROWER = {
    "a type less": ({"type": ["string", "null"]}, TEXT),
    "one of two alternatives less": ({"anyOf": [TEXT, NUMBER]}, NUMBER),
    "any value, then one type": ({}, TEXT),
    "whole numbers only": (NUMBER, {"type": "integer"}),
    "nullable no more": ({"type": "string", "nullable": True}, TEXT),
    "a listed value less": ({"enum": ["a", "b"]}, {"enum": ["a"]}),
    "listed values only": (TEXT, {"type": "string", "enum": ["a"]}),
    "a constant": ({"enum": ["a", "b"]}, {"const": "a"}),
    "a minimum": (NUMBER, {"type": "number", "minimum": 1}),
    "a higher minimum": ({"type": "number", "minimum": 1}, {"type": "number", "minimum": 2}),
    "a lower maximum": ({"type": "number", "exclusiveMaximum": 9}, {"type": "number", "exclusiveMaximum": 8}),
    "shorter texts": ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 8}),
    "fewer items": ({"type": "array"}, {"type": "array", "maxItems": 8}),
    "items that differ from each other": ({"type": "array"}, {"type": "array", "uniqueItems": True}),
    "fewer keys": ({"type": "object"}, {"type": "object", "maxProperties": 3}),
    "a format": (TEXT, {"type": "string", "format": "uuid"}),
    "a pattern": (TEXT, {"type": "string", "pattern": "^a"}),
    "items of one type": ({"type": "array"}, {"type": "array", "items": TEXT}),
    "narrower items": ({"type": "array", "items": {}}, {"type": "array", "items": NUMBER}),
    "no further keys": ({"type": "object"}, {"type": "object", "additionalProperties": False}),
    "further keys of one type": ({"type": "object"}, {"type": "object", "additionalProperties": TEXT}),
    "a narrower field": (fields(a={}), fields(a=TEXT)),
    "a field within a field": (fields(a=fields(b={})), fields(a=fields(b=TEXT))),
    "a required field": (fields(a=TEXT), fields(["a"], a=TEXT)),
    "a required key that is not described": ({"type": "object"}, {"type": "object", "required": ["a"]}),
    "a further part": ({"allOf": [fields(a=TEXT)]}, {"allOf": [fields(a=TEXT), {"required": ["a"]}]}),
    "a narrower alternative": ({"oneOf": [fields(a={}), TEXT]}, {"oneOf": [fields(a=TEXT), TEXT]}),
    "one of two alternatives of a type": (
        {"anyOf": [{"type": "string", "enum": ["*"]}, {"type": "string", "format": "uuid"}]},
        {"type": "string", "enum": ["*"]},
    ),
    "fields that go together": (fields(a={}), fields(a={}) | {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
}
"""What lets less through: it breaks requests; the other way round it lets more through, and breaks answers."""


@pytest.mark.parametrize("name", NARROWER)
def test_what_is_narrower_breaks_requests_and_what_is_wider_breaks_answers(name: str) -> None:
    old, new = NARROWER[name]
    assert sides(differences(old, new)) == {"request"}
    assert sides(differences(new, old)) == {"answer"}


BOTH = {
    "a field less": (fields(a=TEXT, b=TEXT), fields(a=TEXT)),
    "another type": (TEXT, NUMBER),
    "another format": ({"type": "string", "format": "uuid"}, {"type": "string", "format": "date"}),
    "another pattern": ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}),
    "another listed value": ({"enum": ["a"]}, {"enum": ["b"]}),
}


@pytest.mark.parametrize("name", BOTH)
def test_what_is_taken_away_or_replaced_breaks_requests_and_answers(name: str) -> None:
    old, new = BOTH[name]
    assert sides(differences(old, new)) == {"request", "answer"}


def test_a_new_field_breaks_only_requests_that_have_to_have_it() -> None:
    assert sides(differences(fields(a=TEXT), fields(a=TEXT, b=TEXT))) == set()
    assert sides(differences(fields(a=TEXT), fields(["b"], a=TEXT, b=TEXT))) == {"request"}


def test_another_default_breaks_requests_that_rely_on_it() -> None:
    ten, five = fields(a={"type": "integer", "default": 10}), fields(a={"type": "integer", "default": 5})
    none = fields(a={"type": "integer"})
    assert sides(differences(ten, five)) == sides(differences(ten, none)) == {"request"}
    assert sides(differences(none, five)) == set()
    assert len(differences(none, five)) == 2


def test_names_in_camel_case_that_are_no_longer_taken_break_requests() -> None:
    twins = {"type": "array", "x-camel-case-twins": True}
    assert sides(differences(twins, {"type": "array"})) == {"request"}
    assert sides(differences({"type": "array"}, twins)) == set()


def test_true_is_not_the_default_one() -> None:
    assert sides(differences(fields(a={"default": True}), fields(a={"default": 1}))) == {"request"}


SAME = {
    "words": ({"type": "string", "description": "old"}, {"type": "string", "title": "new", "examples": ["a"]}),
    "alternatives as a list of types": ({"anyOf": [TEXT, {"type": "null"}]}, {"type": ["string", "null"]}),
    "nullable as a type": ({"type": "string", "nullable": True}, {"type": ["null", "string"]}),
    "a constant as a list": ({"const": "a"}, {"type": "string", "enum": ["a"]}),
    "parts as one": ({"allOf": [fields(a=TEXT), fields(["b"], b=TEXT)]}, fields(["b"], a=TEXT, b=TEXT)),
    "an alternative within another": ({"anyOf": [TEXT, {"type": "string", "format": "uuid"}]}, TEXT),
    "the order of alternatives": (
        {"anyOf": [fields(a=TEXT), fields(b=TEXT)]},
        {"anyOf": [fields(b=TEXT), fields(a=TEXT)]},
    ),
    "the order of listed values": ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
    "further keys said and unsaid": ({"type": "object"}, {"type": "object", "additionalProperties": True}),
    "any items said and unsaid": ({"type": "array", "items": {}}, {"type": "array"}),
    "whole numbers are numbers": ({"type": ["integer", "number"]}, NUMBER),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_values_written_in_another_way_are_no_difference(name: str) -> None:
    old, new = SAME[name]
    assert differences(old, new) == []
    assert differences(new, old) == []


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def test_a_change_of_a_component_is_told_once_for_each_side() -> None:
    old, new = {"Boat": fields(a=TEXT)}, {"Boat": fields(a=NUMBER)}
    used = fields(one=ref("Boat"), many={"type": "array", "items": ref("Boat")})
    found = compare(document(used, used, old), document(used, used, new))
    assert {each.key for each in found if each.breaks} == {
        "Boat (answer): a: number added as a type",
        "Boat (request): a: string no longer a type",
    }


def test_a_field_from_an_extended_component_is_told_as_its_own() -> None:
    extended = {"allOf": [ref("Boat"), fields(b=TEXT)]}
    schemas = {"Boat": fields(a=fields(x=TEXT))}, {"Boat": fields(a=fields(x=NUMBER))}
    old, new = ({**each, "Ship": extended} for each in schemas)
    (finding,) = [
        each for each in compare(document(ref("Ship"), {}, old), document(ref("Ship"), {}, new)) if each.breaks
    ]
    assert finding.key == "Boat (request): a.x: string no longer a type"


def test_a_component_that_gets_a_name_or_another_one_is_no_difference() -> None:
    boat = fields(["a"], a=TEXT)
    assert differences(boat, ref("Boat"), {}, {"Boat": boat}) == []
    assert differences(ref("Boat"), ref("Ship"), {"Boat": boat}, {"Ship": boat}) == []


def test_what_stands_beside_a_reference_counts() -> None:
    schemas = {"Sail": TEXT}
    assert sides(differences(ref("Sail"), {**ref("Sail"), "maxLength": 3}, schemas, schemas)) == {"request"}
    five = fields(a={**ref("Sail"), "default": "x"})
    assert sides(differences(five, fields(a=ref("Sail")), schemas, schemas)) == {"request"}


@pytest.mark.parametrize("names", [("Tree", "Tree"), ("Tree", "Bush")])
def test_schemas_that_contain_themselves_are_compared_to_their_end(names: tuple[str, str]) -> None:
    def tree(name: str, leaf: Json) -> Json:
        inner = fields(leaf=leaf, left=ref(name), others={"type": "array", "items": ref(name)})
        return {name: {"anyOf": [inner, {"type": "array", "items": ref(name)}, {"type": "null"}]}}

    old, new = names
    assert sides(differences(ref(old), ref(new), tree(old, {}), tree(new, TEXT))) == {"request"}
    assert differences(ref(old), ref(new), tree(old, TEXT), tree(new, TEXT)) == []
