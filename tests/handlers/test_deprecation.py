"""Responses of operations that the document says are deprecated."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from runyard.handlers import app
from runyard.handlers.contract.deprecation import announcing, deprecation_headers

from .asgi_client import connected
from .documents import Document
from .fakes.runtime import FakeRuntime

DATES = {"deprecated": True, "x-deprecated-since": "2026-11-02", "x-sunset": "2027-05-31"}
DEPRECATION = f"@{int(datetime(2026, 11, 2, tzinfo=UTC).timestamp())}"
SUNSET = "Mon, 31 May 2027 00:00:00 GMT"


@pytest.fixture
async def client(
    runtime: FakeRuntime, document: Document, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application two of whose operations are deprecated."""
    changed = copy.deepcopy(document)
    for path, method in (("/info", "get"), ("/runs/batch", "post")):
        changed["paths"][path][method].update(DATES)
    monkeypatch.setattr(app, "load_document", lambda disabled, *, batch_limit: changed)
    async with connected(runtime) as client:
        yield client


async def test_a_deprecated_operation_says_since_when_and_until_when(client: httpx.AsyncClient) -> None:
    response = await client.get("/info")
    assert response.status_code == 200
    assert response.headers["deprecation"] == DEPRECATION
    assert response.headers["sunset"] == SUNSET
    assert parsedate_to_datetime(SUNSET) == datetime(2027, 5, 31, tzinfo=UTC)


@pytest.mark.parametrize("body", [b"[", b"[{}]"])
async def test_its_refusals_say_so_too(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/runs/batch", content=body)
    assert response.status_code == 422
    assert list(response.json()) == ["detail"]
    assert (response.headers["deprecation"], response.headers["sunset"]) == (DEPRECATION, SUNSET)


async def test_other_operations_say_nothing(client: httpx.AsyncClient) -> None:
    response = await client.get("/ok")
    assert response.status_code == 200
    assert not {"deprecation", "sunset"} & response.headers.keys()


def test_the_end_need_not_be_known_yet() -> None:
    operation = {"deprecated": True, "x-deprecated-since": "2026-11-02"}
    assert deprecation_headers(operation) == ((b"deprecation", DEPRECATION.encode()),)


def test_an_operation_that_is_not_deprecated_stays_as_it_is() -> None:
    async def application(*_: Any) -> None:
        """Answers nothing."""

    assert announcing(application, {}) is application
    assert announcing(application, DATES) is not application


async def test_a_response_that_breaks_off_stays_broken_off() -> None:
    sent = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ConnectionError

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        """Nothing comes."""

    with pytest.raises(ConnectionError):
        await announcing(application, DATES)({"method": "GET", "path": "/"}, receive, send)
    assert sent == ["http.response.start"]


@pytest.mark.parametrize(
    "dates", [{}, {"x-deprecated-since": "soon"}, {"x-deprecated-since": "2026-11-02", "x-sunset": 3}]
)
def test_dates_that_are_none_are_named_at_the_start(dates: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"sail is deprecated: x-(deprecated-since|sunset) has to be a date"):
        deprecation_headers({"operationId": "sail", "deprecated": True, **dates})
