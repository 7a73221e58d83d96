"""The types of handlers that `scripts/generate` derives from the document, and what mypy makes of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.interface_tools.handlers import HandlerError, handlers_module, python_type

ROOT = Path(__file__).parents[3]

SCHEMAS: dict[str, Any] = {
    "Lake": {"type": "object", "properties": {"depth": {"type": "number"}}},
    "LakePatch": {"type": "object", "x-document-only": True},
    "Water": {"type": "string", "enum": ["sweet", "salty"]},
}
DEPTH = {"name": "Max-Depth", "in": "query", "schema": {"type": "number"}}
LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 10}}
LAKE_ID = {"name": "lake_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def body(name: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def operation(handler: str | None, **more: Any) -> dict[str, Any]:
    named = {} if handler is None else {"x-handler": handler}
    return {"operationId": f"op_{handler}", "summary": "Look at lakes", **named, **more}


def document(paths: dict[str, Any]) -> dict[str, Any]:
    return {"paths": paths, "components": {"schemas": SCHEMAS, "parameters": {"Limit": LIMIT}}}


def methods(paths: dict[str, Any]) -> dict[str, str]:
    """The methods that the generated module names, `Class.method`, with their signatures."""
    module = ast.parse(handlers_module(document(paths), '"""Made for a test."""'))
    return {
        f"{owner.name}.{method.name}": f"{'async ' if isinstance(method, ast.AsyncFunctionDef) else ''}"
        f"({ast.unparse(method.args)}) -> {ast.unparse(method.returns or ast.Constant(None))}"
        for owner in module.body
        if isinstance(owner, ast.ClassDef)
        for method in owner.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_a_handler_takes_the_parameters_of_its_operation() -> None:
    parameters = [LAKE_ID, DEPTH, {"$ref": "#/components/parameters/Limit"}]
    paths = {"/lakes/{lake_id}": {"get": operation("lakes.get", parameters=parameters)}}
    assert methods(paths) == {
        "Lakes.get": "async (self, *, lake_id: str, max_depth: float | None, limit: int, principal: Principal) "
        "-> Response"
    }


def test_a_body_is_its_class_and_that_of_a_change_what_was_given() -> None:
    paths = {
        "/lakes": {"post": operation("lakes.create", requestBody=body("Lake"))},
        "/lakes/{lake_id}": {"patch": operation("lakes.patch", requestBody=body("LakePatch"))},
        "/lakes/kept": {"post": operation("lakes.keep", requestBody=body("Lake"), **{"x-body-as-given": True})},
    }
    assert methods(paths) == {
        "Lakes.keep": "async (self, *, body: dict[str, Any], principal: Principal) -> Response",
        "Lakes.create": "async (self, *, body: models.Lake, principal: Principal) -> Response",
        "Lakes.patch": "async (self, *, body: dict[str, Any], principal: Principal) -> Response",
    }


def test_a_handler_that_makes_runs_gets_the_headers_that_are_handed_on() -> None:
    more = {"requestBody": body("Lake"), "x-configurable-headers": True}
    assert methods({"/lakes": {"post": operation("lakes.create", **more)}}) == {
        "Lakes.create": "async (self, *, body: models.Lake, principal: Principal, "
        "configurable_headers: Mapping[str, Any]) -> Response"
    }


def test_a_request_with_a_key_is_handed_on_as_one_that_is_carried_out_once() -> None:
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    assert methods({"/lakes": {"post": operation("lakes.create", parameters=[key])}}) == {
        "Lakes.create": "async (self, *, once: Once | None, principal: Principal) -> Response"
    }


def test_a_handler_that_answers_whoever_asks_is_not_told_who_does() -> None:
    public = operation("lakes.health", **{"x-impersonal": True})
    assert methods({"/ok": {"get": public}}) == {"Lakes.health": "async (self) -> Response"}


def test_a_page_is_a_plain_function() -> None:
    paths = {"/": {"get": operation("big_pages.root", **{"x-page": True})}}
    assert methods(paths) == {"BigPages.root": "(self) -> Page"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "format": "uuid"}, "str"),
        ({"type": ["boolean", "integer"]}, "bool | int"),
        ({"enum": ["a", 1]}, "Literal['a', 1]"),
        ({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, "str | list[str]"),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "int | None"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Water"}}, "list[models.Water]"),
        ({"type": "object"}, "dict[str, Any]"),
        ({}, "Any"),
    ],
    ids=str,
)
def test_types_of_schemas(schema: dict[str, Any], expected: str) -> None:
    assert python_type(schema, SCHEMAS) == expected


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ({"/a": {"get": operation(None)}}, "GET /a: x-handler is None, not of the form threads.create"),
        ({"/a": {"get": operation("lakes")}}, "GET /a: x-handler is 'lakes'"),
        ({"/a": {"get": operation("lakes.class")}}, "GET /a: x-handler is 'lakes.class'"),
        (
            {"/a": {"get": operation("lakes.get")}, "/b": {"get": operation("lakes.get")}},
            "GET /b: GET /a has the same x-handler, lakes.get",
        ),
        ({"/a": {"post": operation("lakes.add", **{"x-head": True})}}, "POST /a: x-head is for GET only"),
        (
            {"/a": {"post": operation("pages.add", requestBody=body("Lake"), **{"x-page": True})}},
            "POST /a: a page cannot have a body",
        ),
        (
            {"/a": {"post": operation("lakes.add", requestBody=body("LakePatch"))}},
            "POST /a: there is no class for LakePatch",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(paths: dict[str, Any], message: str) -> None:
    with pytest.raises(HandlerError) as raised:
        handlers_module(document(paths), '"""Made for a test."""')
    assert str(raised.value).startswith(message)
    _, path, method, key = raised.value.place
    assert key in paths[path][method] or key == "x-handler"


HANDLERS = """
from typing import Any, Literal
from runyard.generated import handlers, models

class Answer: ...

class Pages:
    def root(self) -> str: return ""
    def docs(self) -> str: return ""
    def guides(self) -> str: return ""
    def guide(self, name: str) -> str: return ""
    def sign_in(self) -> str: return ""

class System:
    async def health(self, check_db: int) -> Answer: return Answer()
    async def info(self) -> Answer: return Answer()
    async def metrics(self, format: Literal["prometheus", "json"]) -> Answer: return Answer()
    async def openapi(self) -> Answer: return Answer()

def check(system: System, pages: Pages) -> None:
    held: handlers.System[Answer] = system
    plain: handlers.Pages[str] = pages
"""


CHANGES = {
    "a missing handler": ("    async def info(self) -> Answer: return Answer()\n", ""),
    "another type": ("check_db: int", "check_db: str"),
    "one argument too many": ("check_db: int", "check_db: int, more: int"),
    "another name": ("check_db: int", "check: int"),
    "a plain function": ("    async def openapi", "    def openapi"),
    "a page on the event loop": ("    def docs(self)", "    async def docs(self)"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy finds in the handlers above, and in copies with one of the changes."""
    folder = tmp_path_factory.mktemp("mypy")
    texts = {"unchanged": HANDLERS}
    for change, (written, instead) in CHANGES.items():
        assert HANDLERS.count(written) == 1
        texts[change] = HANDLERS.replace(written, instead)
    names = {change: f"{change.replace(' ', '_')}.py" for change in texts}
    for change, name in names.items():
        (folder / name).write_text(texts[change])
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-error-summary"]
    command += [str(folder / name) for name in names.values()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.stderr
    return {change: [line for line in done.stdout.splitlines() if name in line] for change, name in names.items()}


def test_mypy_is_content_with_handlers_that_fit(found: dict[str, list[str]]) -> None:
    assert found["unchanged"] == []


@pytest.mark.parametrize("change", CHANGES)
def test_mypy_finds_a_handler_that_is_missing_or_does_not_fit(found: dict[str, list[str]], change: str) -> None:
    assert "error: Incompatible types in assignment" in found[change][0]
