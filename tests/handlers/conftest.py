"""An application around a fake runtime, and the document that it serves."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from runyard.handlers.contract.answers import check
from runyard.handlers.contract.document import load_document

from .asgi_client import connected
from .documents import Document, Operation
from .fakes.runtime import FakeRuntime


class Recorder(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture(autouse=True)
def violations() -> Iterator[list[str]]:
    """Answers that are not as the document says: each that a test leaves in the list fails it."""
    recorder = Recorder()
    check.logger.addHandler(recorder)
    yield recorder.messages
    check.logger.removeHandler(recorder)
    assert not recorder.messages


@pytest.fixture
def runtime() -> FakeRuntime:
    return FakeRuntime()


@pytest.fixture
async def client(runtime: FakeRuntime) -> AsyncIterator[httpx.AsyncClient]:
    async with connected(runtime) as client:
        yield client


@pytest.fixture(scope="session")
def document() -> Document:
    return load_document()


@pytest.fixture(scope="session")
def served(document: Document) -> Document:
    """What a server has that asks nobody who they are."""
    return {**document, "paths": {path: item for path, item in document["paths"].items() if path != "/sign-in"}}


@pytest.fixture(scope="session")
def operations(document: Document) -> list[Operation]:
    """Path, method and definition of every operation."""
    return [
        (path, method, definition) for path, item in document["paths"].items() for method, definition in item.items()
    ]
