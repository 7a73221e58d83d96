"""A server with agents, and two who use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authorisation.users import PROJECTS, User, bearer
from tests.live_server import LiveServer


@pytest.fixture(scope="session")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server on which everybody reaches what is theirs."""
    config = PROJECTS / "agents" / "langgraph.json"
    server = LiveServer(tmp_path_factory.mktemp("agents") / "data", config=config, args=("--workers", "1"))
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="session")
def ann(agents: LiveServer) -> User:
    return User(agents, bearer("ann-token"))


@pytest.fixture(scope="session")
def bob(agents: LiveServer) -> User:
    return User(agents, bearer("bob-token"))
