"""Request bodies made up from the document's schemas: valid ones, and ones that are a little wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from .documents import Document, Schema
from .made_up_values import made_from

_LITERALS: list[Any] = [
    *(None, True, False, 0, -1, 1, 1.0, 1.5, 1e300, 1001, 2**53, 2**63 - 1, 2**64 - 1, 2**64, -(2**63) - 1, 2**70),
    *("", "*", "a", "é", "%", "//", "http://[", "\0", "next\n", "Values", "values", "values."),
    *("delete", "keep", "cancel", "4F7C3F6E-8A39-4F9B-9C7E-0D6A2F1B3C5D", "4f7c3f6e8a394f9b9c7e0d6a2f1b3c5d"),
    *([], {}, [None], [[]], {"": None}, {"node": "a"}, {"node": "a", "input": None}),
]
"""What stands at the borders of what schemas allow."""

Path = tuple[str | int, ...]


def body_schema(schema: Schema, document: Document) -> Schema:
    """The schema of a body, with all that it refers to inside."""
    return {**schema, "components": {"schemas": reachable(schema, document)}}


def reachable(schema: Any, document: Document) -> dict[str, Schema]:
    """The components that a schema refers to, directly or through others."""
    found: dict[str, Schema] = {}
    pending = [schema]
    while pending:
        for key, value in _entries(pending.pop()):
            if key == "$ref" and (name := value.rpartition("/")[2]) not in found:
                found[name] = document["components"]["schemas"][name]
                pending.append(found[name])
    return found


def keywords(schema: Any) -> set[str]:
    """All keywords that a schema and its components use."""
    found: set[str] = set()
    for key, value in schema.items():
        found.add(key)
        if key in ("properties", "schemas"):
            found |= set().union(*(keywords(each) for each in value.values()))
        elif key in ("components", "items", "additionalProperties") and isinstance(value, dict):
            found |= keywords(value)
        elif key in ("anyOf", "oneOf", "allOf"):
            found |= set().union(*(keywords(each) for each in value))
    return found


def _entries(node: Any) -> Iterator[tuple[str, Any]]:
    for path, value in _places(node):
        if path and isinstance(path[-1], str):
            yield path[-1], value


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in entries:
        yield from _places(each, (*path, key))


def edges(schema: Schema) -> list[tuple[str, Any]]:
    """For each property that the schema describes, at whatever depth, values just within and just beyond its bounds."""
    found = [
        (name, value)
        for key, properties in _entries(schema)
        if key == "properties"
        for name, each in properties.items()
        for value in _edges_of(each)
    ]
    return sorted(found, key=repr)


def _edges_of(schema: Schema) -> Iterator[Any]:
    yield from (None, [], {})
    for key, bound in schema.items():
        match key:
            case "minimum" | "maximum":
                yield from (bound - 1, bound, bound + 1)
            case "minLength" | "maxLength":
                yield from ("a" * bound, "a" * (bound + 1), "a" * (bound - 1))
            case "maxProperties":
                yield from ({str(number): "" for number in range(bound + extra)} for extra in (0, 1))
            case "maxItems" if bound <= 1_000:
                yield from ([""] * (bound + extra) for extra in (0, 1))
            case "enum":
                yield from ([bound[0]], bound[0].upper())
            case "items":
                yield from ([""], ["values."], [None], ["next", "next\n"])


def valid_bodies(schema: Schema) -> st.SearchStrategy[Any]:
    """Bodies that fit the schema."""
    return made_from(schema, schema["components"]["schemas"])


def mutated_bodies(schema: Schema) -> st.SearchStrategy[Any]:
    """Valid bodies with up to three changes, each of which may make them invalid."""
    return _mutated(valid_bodies(schema), st.sampled_from([*edges(schema), ("unknown", None), ("a\0", None)]))


@st.composite
def _mutated(draw: st.DrawFn, bodies: st.SearchStrategy[Any], entries: st.SearchStrategy[tuple[str, Any]]) -> Any:
    body = copy.deepcopy(draw(bodies))
    for _ in range(draw(st.integers(1, 3))):
        body = _change(draw, body, entries)
    if isinstance(body, dict) and isinstance(other := draw(bodies), dict) and draw(st.integers(0, 4)) == 4:
        body |= other
    return body


def _change(draw: st.DrawFn, body: Any, entries: st.SearchStrategy[tuple[str, Any]]) -> Any:
    """One place of the body replaced, removed, added to, or wrapped."""
    path, value = draw(st.sampled_from(sorted(_places(body), key=lambda place: len(place[0]))[:20]))
    kind = draw(st.sampled_from(["replace", "replace", "remove", "add", "add", "add", "wrap", "bury", "camel"]))
    if kind == "add" and isinstance(value, dict):
        name, edge = draw(entries)
        value[name] = copy.deepcopy(edge)
        return body
    if kind == "add" and isinstance(value, list):
        value.insert(0, copy.deepcopy(draw(st.sampled_from(_LITERALS))))
        return body
    if kind == "camel" and isinstance(value, dict):
        for name in [name for name in value if "_" in name]:
            value[camel_case(name)] = value.pop(name)
        return body
    new = copy.deepcopy(draw(st.sampled_from([*_near(value) * 4, *_LITERALS])))
    if kind in ("wrap", "bury"):
        new = value
        for _ in range(1 if kind == "wrap" else 200):
            new = [new]
    if not path:
        return new
    parent = body
    for step in path[:-1]:
        parent = parent[step]
    if kind == "remove":
        del parent[path[-1]]
    else:
        parent[path[-1]] = new
    return body


def _near(value: Any) -> list[Any]:
    """Values that differ a little from one: another spelling, one more or less."""
    match value:
        case bool() | None:
            return [str(value).lower(), int(bool(value))]
        case int() | float():
            return [value + 1, value - 1, value + 0.5, -value, str(value)]
        case str():
            return [
                value.upper(),
                value.replace("-", ""),
                f"{{{value}}}",
                f"{value}%",
                f"{value}\n",
                value[1:],
                [value],
            ]
        case list():
            return [value[1:], [*value, *value], [*value, None], {"0": value}]
        case _:
            return [list(value), list(value.values())]


@st.composite
def written(draw: st.DrawFn, bodies: st.SearchStrategy[Any]) -> bytes:
    """Bodies as JSON. In some, a key occurs twice, which the value that is read from it does not show."""
    body = draw(bodies)
    text = json.dumps(body, allow_nan=False)
    if isinstance(body, dict) and body and draw(st.integers(0, 9)) == 9:
        text = f"{{{json.dumps(next(iter(body)))}: null, {text[1:]}"
    return text.encode()


def camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
