"""What the hooks leave out of the findings of Schemathesis, and what they must not leave out."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from schemathesis.openapi.checks import EnsureResourceAvailability, UseAfterFree

from tests.fuzz.hooks import after_call, filter_failure

THREAD, ASSISTANT = "907a70c3-1012-4037-b64c-e4228c38fb29", "7f150524-34b9-45df-9e77-69b10f4205b4"
NOT_FOUND = EnsureResourceAvailability(
    operation="POST /threads", message="", created_with="POST /threads", not_available_with="POST"
)


def request(method: str, path: str, body: Any = None, **path_parameters: str) -> Any:
    return SimpleNamespace(method=method, path=path, path_parameters=path_parameters, query={}, body=body)


def answer(value: Any, status: int = 404) -> Any:
    return SimpleNamespace(
        status_code=status, json=lambda: value, content=b"", headers={"content-type": ["application/json"]}
    )


def is_reported(body: Any, detail: str) -> bool:
    reported: bool = filter_failure(None, NOT_FOUND, request("POST", "/", body), answer({"detail": detail}))
    return reported


def no_checkpoint(checkpoint_id: str) -> str:
    return f"Checkpoint {checkpoint_id} not found on thread {THREAD}"


def no_version(version: int) -> str:
    return f"Version {version} not found for assistant {ASSISTANT}"


@pytest.mark.parametrize("body", [{"checkpoint_id": "x"}, {"checkpoint": {"checkpoint_id": "x"}}], ids=str)
def test_a_checkpoint_that_was_made_up_is_no_finding(body: Any) -> None:
    assert not is_reported(body, no_checkpoint("x"))
    assert is_reported(body, no_checkpoint("y"))


def test_a_version_that_was_made_up_is_no_finding() -> None:
    assert not is_reported({"version": 8933}, no_version(8933))
    assert is_reported({"version": 8934}, no_version(8933))


def test_a_graph_that_was_made_up_is_no_finding() -> None:
    missing = "Graph '\n' not found. Expected one of: ['chain']"
    assert not is_reported({"graph_id": "\n"}, missing)
    assert is_reported({"graph_id": "x"}, missing)


def test_what_an_answer_showed_and_is_lost_is_a_finding() -> None:
    checkpoint_id = str(uuid.uuid4())
    address = {"thread_id": THREAD, "checkpoint_id": checkpoint_id}
    after_call(None, request("GET", "/threads/{thread_id}/state"), answer({"checkpoint": address}, status=200))
    assert not is_reported({"checkpoint_id": checkpoint_id}, no_checkpoint(checkpoint_id)), "that is an echo"
    state = {"checkpoint": address, "created_at": "2026-01-01T00:00:00+00:00"}
    after_call(None, request("GET", "/threads/{thread_id}/state"), answer([state], status=200))
    assert is_reported({"checkpoint_id": checkpoint_id}, no_checkpoint(checkpoint_id))
    after_call(None, request("DELETE", "/threads/{thread_id}", thread_id=THREAD), answer(None, status=204))
    assert not is_reported({"checkpoint_id": checkpoint_id}, no_checkpoint(checkpoint_id))


def test_a_version_that_an_answer_showed_and_is_lost_is_a_finding() -> None:
    after_call(None, request("GET", "/assistants"), answer({"assistant_id": ASSISTANT, "version": 2}, status=200))
    assert is_reported({"version": 2}, no_version(2))
    delete = request("DELETE", "/assistants/{assistant_id}", assistant_id=ASSISTANT)
    after_call(None, delete, answer(None, status=204))
    assert not is_reported({"version": 2}, no_version(2))


def test_a_lost_thread_is_a_finding() -> None:
    assert is_reported({"checkpoint_id": "x"}, f"Thread with ID {THREAD} not found")
    assert is_reported(None, "Not Found")


def test_a_deleted_thread_that_a_run_brings_back_is_no_finding_until_it_is_deleted_again() -> None:
    thread_id = str(uuid.uuid4())
    get = request("GET", "/threads/{thread_id}/state", thread_id=thread_id)
    run = request("POST", "/threads/{thread_id}/runs", {"if_not_exists": "create"}, thread_id=thread_id)
    delete = request("DELETE", "/threads/{thread_id}", thread_id=thread_id)
    still_there = UseAfterFree(operation="", message="", free="DELETE", usage="GET")
    assert filter_failure(None, still_there, get, answer({}, status=200))
    after_call(None, run, answer({}, status=200))
    assert not filter_failure(None, still_there, get, answer({}, status=200))
    after_call(None, delete, answer(None, status=204))
    assert filter_failure(None, still_there, get, answer({}, status=200))
