"""Servers for all tests: one that many tests share, and as many of its own as a test starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.gate import Gate
from tests.live_server import PROJECT, LiveServer, StartServer

# Some tests run in this process what a server would run in its own.
os.environ.setdefault("LANGSMITH_TRACING", "false")


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Servers of a test's own, which end with it."""
    servers: list[LiveServer] = []

    def start(
        name: str = "data",
        *,
        config: Path = PROJECT,
        args: tuple[str, ...] = ("--workers", "2"),
        env: Mapping[str, str] | None = None,
    ) -> LiveServer:
        server = LiveServer(tmp_path / name, config=config, args=args, env=env)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server with the graphs of tests/sample_graphs for all tests that only talk to it."""
    server = LiveServer(tmp_path_factory.mktemp("live") / "data")
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def client(live_server: LiveServer) -> LangGraphClient:
    """The stock client, connected to the shared server."""
    return get_client(url=live_server.url, api_key=None)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Holds runs until the test opens it; opened at the end of the test at the latest."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()
