"""An application around a fake runtime, and the document that it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from runyard.handlers.contract.document import load_document

from .asgi_client import connected
from .documents import Document, Operation
from .fakes.runtime import FakeRuntime


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
def operations(document: Document) -> list[Operation]:
    """Path, method and definition of every operation."""
    return [
        (path, method, definition) for path, item in document["paths"].items() for method, definition in item.items()
    ]
