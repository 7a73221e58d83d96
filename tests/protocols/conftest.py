"""A server with agents, and two who use it."""

from __future__ import annotations

import pytest

from tests.authorisation.users import PROJECTS, User, bearer
from tests.live_server import Backend, KeptServer, LiveServer


@pytest.fixture(scope="session")
def agents(kept_server: KeptServer, backend: Backend) -> LiveServer:
    """A server on which everybody reaches what is theirs."""
    return kept_server(PROJECTS / "agents" / "langgraph.json", backend, 1)


@pytest.fixture(scope="session")
def ann(agents: LiveServer) -> User:
    return User(agents, bearer("ann-token"))


@pytest.fixture(scope="session")
def bob(agents: LiveServer) -> User:
    return User(agents, bearer("bob-token"))
