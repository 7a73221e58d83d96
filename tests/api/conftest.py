"""What the tests of the API need beside the stock clients: plain HTTP, threads, and a receiver of webhooks."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer
from tests.webhook_listener import WebhookListener


@pytest.fixture
def tag() -> str:
    """A word for the metadata of a test's own runs and threads."""
    return uuid.uuid4().hex


@pytest.fixture
async def thread(client: LangGraphClient) -> str:
    """A new thread."""
    return (await client.threads.create())["thread_id"]


@pytest.fixture
async def http(live_server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP to the shared server."""
    async with httpx.AsyncClient(base_url=live_server.url, timeout=60) as http:
        yield http


@pytest.fixture
def listener() -> Iterator[WebhookListener]:
    """A receiver of webhooks."""
    listener = WebhookListener()
    yield listener
    listener.close()
