"""The document: valid, up to date, complete, and in step with the handlers and the classes."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import jsonschema_rs
import msgspec
import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from runyard.generated import mappings, models
from runyard.handlers.contract.answers.frames import Frames
from runyard.handlers.contract.answers.schemas import Schemas
from runyard.handlers.contract.middleware import HEADERS, KEY, ONCE, PRINCIPAL
from runyard.handlers.contract.models import model_maker
from runyard.handlers.contract.parameters import Parameters
from runyard.handlers.operations import operation_table

from .documents import Document, Operation, body_of, parameters_of
from .fakes.runtime import FakeRuntime

ROOT = Path(__file__).parent.parent.parent


def test_the_document_is_valid(document: Document) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_generated_files_are_up_to_date() -> None:
    done = subprocess.run([ROOT / "scripts" / "generate", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def handlers(runtime: FakeRuntime, document: Document) -> dict[str, Callable[..., Any]]:
    """The handler of each operation, by its operationId."""
    table = operation_table(runtime, document)
    return {**table.handlers, **table.pages}


def test_every_operation_has_a_handler_and_every_handler_an_operation(
    operations: list[Operation], handlers: dict[str, Callable[..., Any]]
) -> None:
    declared = [definition["operationId"] for _, _, definition in operations]
    assert len(declared) == len(set(declared))
    assert set(declared) == set(handlers)


def test_every_public_method_of_a_handler_object_serves_an_operation(handlers: dict[str, Callable[..., Any]]) -> None:
    bound = [handler for handler in handlers.values() if inspect.ismethod(handler)]
    assert len(bound) == len(handlers)
    for owner in {method.__self__ for method in bound}:
        public = {name for name, _ in inspect.getmembers(owner, inspect.ismethod) if not name.startswith("_")}
        assert public == {method.__name__ for method in bound if method.__self__ is owner}


def test_every_operation_has_a_readable_name_of_its_own(operations: list[Operation]) -> None:
    names = [definition.get("x-sdk-name", "") for _, _, definition in operations]
    for (path, method, _), name in zip(operations, names, strict=True):
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name), f"{method} {path}: x-sdk-name {name!r}"
    assert len(names) == len({name.lower() for name in names})


def schemas_in(node: Any) -> Iterator[dict[str, Any]]:
    """All schemas with a type in a document, but for those that examples show."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str | list):
            yield node
        node = [each for key, each in node.items() if key != "examples"]
    for each in node if isinstance(node, list) else ():
        yield from schemas_in(each)


def test_generators_of_clients_know_what_arrays_and_free_objects_hold(document: Document) -> None:
    for schema in schemas_in(document):
        if "array" in schema["type"]:
            assert {"items", "prefixItems"} & schema.keys(), schema
        if "object" in schema["type"]:
            assert "properties" in schema or "additionalProperties" in schema, schema


def test_handlers_take_exactly_the_declared_parameters(
    document: Document, operations: list[Operation], handlers: dict[str, Callable[..., Any]]
) -> None:
    for path, method, definition in operations:
        handler = handlers[definition["operationId"]]
        expected = set(Parameters(parameters_of(definition, document), document["components"]).names)
        if body_of(definition):
            expected.add("body")
        if KEY in expected:
            expected = {*expected - {KEY}, ONCE}
        given = set(inspect.signature(handler).parameters) - {HEADERS, PRINCIPAL}
        assert given == expected, f"{method} {path}"


def test_all_but_what_tells_of_the_server_itself_is_told_who_asks(runtime: FakeRuntime, document: Document) -> None:
    handlers = operation_table(runtime, document).handlers
    assert {name for name, handler in handlers.items() if PRINCIPAL not in inspect.signature(handler).parameters} == {
        "health_check_ok_get",
        "server_info_info_get",
        "system_metrics_metrics_get",
        "openapi_json_get",
        "get_mcp",
        "delete_mcp",
        "sign_in_post",
        "sign_in_delete",
        "get_ui_file",
    }


def test_only_pages_go_through_flask(runtime: FakeRuntime, document: Document) -> None:
    table = operation_table(runtime, document)
    assert set(table.pages) == {"root_get", "docs_get", "guides_get", "guide_get", "sign_in_get"}
    assert all(map(inspect.iscoroutinefunction, table.handlers.values()))
    assert not any(map(inspect.iscoroutinefunction, table.pages.values()))


def test_everything_is_described(document: Document, operations: list[Operation]) -> None:
    for path, method, definition in operations:
        assert definition["summary"], f"{method} {path}"
        assert definition["description"], f"{method} {path}"
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
        for key, inner in schema.get("properties", {}).items():
            assert "description" in inner or "$ref" in inner, f"{name}.{key}"


def test_the_generators_marks_are_not_published(document: Document) -> None:
    published = json.dumps(document)
    for mark in ("x-keep-mapping", "x-document-only", "x-handler", "x-page", "x-impersonal", "x-configurable-headers"):
        assert f'"{mark}"' not in published


def test_nothing_unused_is_published(document: Document) -> None:
    text = json.dumps(document)
    for section, entries in document["components"].items():
        for name in entries:
            assert f'"#/components/{section}/{name}"' in text, name


def examples(operations: list[Operation]) -> list[tuple[str, str, dict[str, Any], Any]]:
    found = []
    for path, method, definition in operations:
        body = body_of(definition)
        found += [(method, path, body["schema"], example["value"]) for example in body.get("examples", {}).values()]
    return found


def test_every_body_has_examples_and_they_are_valid(document: Document, operations: list[Operation]) -> None:
    with_body = [(method, path) for path, method, definition in operations if body_of(definition)]
    found = examples(operations)
    assert {(method, path) for method, path, _, _ in found} == set(with_body)
    for _, path, schema, value in found:
        validator = jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
        assert validator.is_valid(value), path


def test_every_answer_in_json_and_every_stream_has_examples_and_they_are_valid(
    document: Document, operations: list[Operation]
) -> None:
    schemas = Schemas(document["components"]["schemas"], whole=True)
    checked = 0
    for path, method, definition in operations:
        content = definition["responses"].get("200", {}).get("content", {})
        for kind in ("application/json", "text/event-stream"):
            if (media := content.get(kind)) is None:
                continue
            for example in media["examples"].values():
                checked += 1
                value = example["value"]
                if kind == "text/event-stream":
                    frames = Frames(media["x-runyard-item-schema"], schemas)
                    found = [each for frame in value.encode().split(b"\n\n") for each in frames.check(frame)]
                    assert found == [], f"{method} {path}"
                    assert len(value.split("\n\n")) > 3, f"{method} {path}"
                else:
                    assert schemas.compile(media["schema"]).is_valid(value), f"{method} {path}"
    assert checked > 40


def test_every_recorded_example_is_used() -> None:
    folder = ROOT / "openapi" / "examples"
    paths = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "openapi" / "paths").glob("*.yaml"))
    for file in folder.glob("*/*.json"):
        assert f"../examples/{file.relative_to(folder)}" in paths, file


async def test_examples_are_accepted(client: httpx.AsyncClient, operations: list[Operation]) -> None:
    for method, path, _, value in examples(operations):
        if path == "/sign-in":  # it is there where callers have to say who they are: see test_sign_in
            continue
        target = re.sub(r"\{\w+\}", str(uuid.uuid4()), path)
        response = await client.request(method, target, json=value)
        assert response.status_code in (200, 204), (path, response.text)


def test_bodies_become_the_annotated_classes(
    operations: list[Operation], handlers: dict[str, Callable[..., Any]]
) -> None:
    for path, method, definition in operations:
        if not (body := body_of(definition)):
            continue
        target = get_type_hints(handlers[definition["operationId"]])["body"]
        # Without a class, it is what was given: a class would lose the difference between absent and given.
        given = bytes if definition.get("x-runyard-own-errors") else dict[str, Any]
        expected = getattr(models, body["schema"]["$ref"].rpartition("/")[2], given)
        assert expected == target, f"{method} {path}"


FULL_RUN = {
    "assistant_id": "chain",
    "input": 5,
    "command": {"update": [["n", 1]], "resume": 2**64 - 1, "goto": [{"node": "a", "input": None}, "b"]},
    "metadata": {"a": [1, None]},
    "config": {"tags": ["t"], "recursion_limit": 3, "configurable": {"a": 1}, "max_concurrency": 2},
    "context": {"b": 1},
    "webhook": "https://example.org/hook",
    "stream_mode": "updates",
    "stream_subgraphs": True,
    "stream_resumable": True,
    "feedback_keys": ["k"],
    "on_completion": "keep",
    "after_seconds": 3,
    "checkpoint_during": False,
    "durability": "exit",
    "interrupt_before": "*",
    "interrupt_after": ["a"],
    "multitask_strategy": "reject",
    "if_not_exists": "create",
    "strict_resume": True,
    "checkpoint": None,
    "checkpoint_id": None,
    "langsmith_tracer": {"project_name": "p"},
    "unknown": 1,
}


def test_a_run_with_every_field_becomes_its_class() -> None:
    run = model_maker(models.RunCreateStateless)(FULL_RUN)
    # msgspec alone drops keys of the config that are not listed.
    decoded = msgspec.convert(FULL_RUN, models.RunCreateStateless)
    assert dataclasses.replace(run, config=decoded.config) == decoded
    assert run.input == 5
    assert isinstance(run.input, int)
    assert run.command.goto == [models.Send(node="a", input=None), "b"]
    assert run.config == FULL_RUN["config"], "keys of the config that are not listed are kept"
    written = orjson.loads(orjson.dumps(run))
    for field in dataclasses.fields(run):
        assert written[field.name] == FULL_RUN[field.name], field.name


@dataclasses.dataclass
class Configured:
    config: mappings.Config


@dataclasses.dataclass
class Nested:
    parts: list[Configured] | None = None


def test_a_class_that_would_lose_keys_of_a_mapping_is_refused() -> None:
    assert model_maker(Configured)({"config": {"more": 1}}) == Configured({"more": 1})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(TypeError, match=r"Nested\.parts"):
        model_maker(Nested)


@pytest.mark.parametrize(
    "goto", [{"node": "a", "input": 1}, "a", ["a", "b"], [{"node": "a", "input": []}], None], ids=str
)
def test_every_form_of_goto_becomes_a_class(goto: Any) -> None:
    command = msgspec.convert({"goto": goto}, models.Command)
    assert orjson.loads(orjson.dumps(command))["goto"] == goto


def test_absent_durability_differs_from_given(runtime: FakeRuntime) -> None:
    run = msgspec.convert({"assistant_id": "a"}, models.RunCreateStateless)
    assert (run.durability, run.checkpoint_during) == (None, None)


def test_every_class_can_be_written_and_decoded() -> None:
    classes = [each for each in vars(models).values() if dataclasses.is_dataclass(each)]
    assert len(classes) > 10
    for each in classes:
        msgspec.json.Decoder(each)  # fails for unions that no decoder can tell apart
