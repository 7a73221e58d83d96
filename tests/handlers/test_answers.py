"""Answers that are broken on purpose: each is found, by the check that every other test relies on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from runyard.generated import models
from runyard.handlers.api import threads
from runyard.handlers.api.threads import ThreadHandlers
from runyard.handlers.http.responses import BodyResponse, Response
from runyard.runtime.errors import BadRequest
from runyard.runtime.streams.events import Event

from .asgi_client import exchange
from .documents import Document, Operation, body_of
from .fakes.runtime import FakeRuntime
from .fakes.threads import make_thread

THREAD = "/threads/8e81973e-0bec-47b0-b898-d190f9ebdacc"
RUN = f"{THREAD}/runs/6b4cb242-4a23-4596-a217-beaddbc496cb"


def only(violations: list[str]) -> str:
    """The one violation that was found, which then does not fail the test."""
    found = violations.copy()
    violations.clear()
    assert len(found) == 1, found
    return found[0].removeprefix("The answer violates the document: ")


def answering(monkeypatch: pytest.MonkeyPatch, thread: Mapping[str, Any]) -> None:
    """Lets GET /threads/{thread_id} answer this."""
    monkeypatch.setattr(threads, "select_thread_fields", lambda *_, **__: thread)


def whole_thread(**changes: Any) -> dict[str, Any]:
    thread = make_thread(str(uuid.uuid4()))
    return {name: getattr(thread, name) for name in thread.__slots__ if getattr(thread, name) is not None} | {
        "values": None,
        "error": None,
        **changes,
    }


async def test_a_whole_answer_is_as_the_document_says(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, violations: list[str]
) -> None:
    answering(monkeypatch, whole_thread())
    await client.get(THREAD)
    assert violations == []


async def test_a_misspelt_optional_field_is_found(
    client: httpx.AsyncClient, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch, violations: list[str]
) -> None:
    answering(monkeypatch, whole_thread(interupts={}))
    await client.get(THREAD)
    found = only(violations)
    assert found.startswith("GET /threads/{thread_id}: answer: ")
    assert "interupts" in found
    assert runtime.metrics.violated == ["GET /threads/{thread_id}"]


async def test_a_wrong_type_deep_inside_is_found(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, violations: list[str]
) -> None:
    answering(monkeypatch, whole_thread(interrupts={"task": [{"value": 1, "id": "a"}, {"value": 1, "id": 5}]}))
    await client.get(THREAD)
    assert only(violations) == (
        'GET /threads/{thread_id}: answer.interrupts.task[1].id: 5 is not of type "string" or of type "null"'
    )


async def test_a_missing_field_is_found(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, violations: list[str]
) -> None:
    thread = whole_thread()
    del thread["status"]
    answering(monkeypatch, thread)
    await client.get(THREAD)
    assert only(violations) == 'GET /threads/{thread_id}: answer: "status" is required'


async def test_a_status_that_is_not_declared_is_found(
    client: httpx.AsyncClient, runtime: FakeRuntime, violations: list[str]
) -> None:
    runtime.threads.error = BadRequest("x")
    await client.get(THREAD)
    assert only(violations) == "GET /threads/{thread_id}: the status 400 is not declared"


async def test_a_missing_header_is_found(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, violations: list[str]
) -> None:
    monkeypatch.setattr(threads, "paging_headers", lambda page: [])
    await client.post("/threads/search", json={})
    assert only(violations) == "POST /threads/search: header.x-pagination-total is required"


async def test_a_header_of_another_form_is_found(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, violations: list[str]
) -> None:
    monkeypatch.setattr(threads, "paging_headers", lambda page: [(b"x-pagination-total", b"many")])
    await client.post("/threads/search", json={})
    assert only(violations) == 'POST /threads/search: header.x-pagination-total: "many" is not of the form ^[0-9]+$'


async def test_another_content_type_and_an_unexpected_body_are_found(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch, violations: list[str]
) -> None:
    async def delete(handlers: ThreadHandlers, thread_id: str) -> Response:
        return BodyResponse(204, b"deleted", [(b"content-type", b"text/plain")])

    monkeypatch.setattr(ThreadHandlers, "delete", delete)
    await exchange(runtime, "DELETE", THREAD)
    assert [found.partition("}: ")[2] for found in violations] == [
        "the content type 'text/plain' is not declared",
        "body: there is one, and none is declared",
    ]
    violations.clear()


async def test_only_a_request_with_select_may_be_answered_in_part(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, violations: list[str]
) -> None:
    def part(thread: models.Thread, select: Any = None) -> dict[str, Any]:
        return {"thread_id": thread.thread_id}

    monkeypatch.setattr(threads, "select_thread_fields", part)
    await client.post("/threads/search", json={"select": ["thread_id"]})
    assert violations == []
    await client.post("/threads/search", json={})
    assert 'answer[0]: "created_at" is required' in only(violations)


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (Event("metadata", b'{"run_id":"x","attempt":1}'), 'stream.data.run_id: "x" is not a "uuid"'),
        (Event("error", b'{"error":"E","mesage":"m"}'), 'stream.data: "message" is required'),
        (Event("messages/partial", b"[]"), "stream.data: [] is not long enough: it needs at least 1 item"),
        (Event("valeus", b"1"), "stream: there is no event 'valeus'"),
        (Event("values", b"1", "5"), 'stream.id: "5" is not of the form ^[0-9]+-[0-9]+$'),
        (Event("values", b"{1"), "stream: the data of an event is not JSON"),
        (Event("state_update", b"1", "5-1"), "stream: there is no event 'state_update'"),
    ],
    ids=lambda value: value.name if isinstance(value, Event) else "",
)
async def test_a_broken_event_is_found(runtime: FakeRuntime, event: Event, found: str, violations: list[str]) -> None:
    runtime.runs.script = [[Event("values", b"{}"), event]]
    await exchange(runtime, "GET", f"{RUN}/stream")
    assert found in only(violations)


async def test_the_events_of_a_thread_need_ids(runtime: FakeRuntime, violations: list[str]) -> None:
    runtime.runs.script = [[Event("state_update", b"1", "5-1"), Event("values", b"1")]]
    await exchange(runtime, "GET", f"{THREAD}/stream")
    assert only(violations) == 'GET /threads/{thread_id}/stream: stream: "id" is required'


async def test_a_broken_result_of_a_run_is_found(runtime: FakeRuntime, violations: list[str]) -> None:
    runtime.runs.result = b'{"__error__":"boom"}'
    await exchange(runtime, "GET", f"{RUN}/join")
    assert 'answer.__error__: "boom" is not of type "object"' in only(violations)


# What the document declares


def test_every_operation_declares_what_may_always_happen(operations: list[Operation]) -> None:
    for path, method, definition in operations:
        declared = set(definition["responses"])
        assert declared & {"5XX", "500"}, f"{method} {path}"
        if body_of(definition):
            refusals = {"413", "415"} if definition.get("x-runyard-own-errors") else {"413", "415", "422"}
            assert refusals <= declared, f"{method} {path}"


def test_every_stream_names_the_schema_of_its_events(operations: list[Operation]) -> None:
    streams = 0
    for path, method, definition in operations:
        for media in (each.get("content", {}).get("text/event-stream") for each in definition["responses"].values()):
            if media is not None:
                streams += 1
                assert media["x-runyard-item-schema"]["$ref"], f"{method} {path}"
    assert streams == 8


def test_every_field_of_a_batch_has_its_camel_case_twin(document: Document) -> None:
    schemas = document["components"]["schemas"]
    twins = schemas["RunBatchCreate"]["x-camel-case-twins"]
    with_underscores = {name for name in schemas["RunCreateStateless"]["properties"] if "_" in name}
    assert set(twins["names"].values()) == with_underscores
    fields = schemas["RunCreateCamelCase"]["properties"]
    assert set(twins["names"]) == {name for name in fields if name != name.lower()}
    without_twins = {name for name in fields if name == name.lower()}
    assert without_twins == set(schemas["RunCreateStateless"]["properties"]) - with_underscores
