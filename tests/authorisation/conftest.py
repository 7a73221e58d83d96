"""Servers of sample projects with authorisation, and their users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live_server import LiveServer

from .users import PROJECTS, User, bearer


@pytest.fixture(scope="session")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server on which everybody reaches what is theirs."""
    config = PROJECTS / "owners" / "langgraph.json"
    server = LiveServer(tmp_path_factory.mktemp("owners") / "data", config=config, args=("--workers", "1"))
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="session")
def ann(owners: LiveServer) -> User:
    return User(owners, bearer("ann-token"))


@pytest.fixture(scope="session")
def bob(owners: LiveServer) -> User:
    return User(owners, bearer("bob-token"))
