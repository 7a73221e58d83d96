"""A server with agents, and two who use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authorisation.users import PROJECTS, User, bearer
from tests.kept_servers import kept_servers
from tests.live_server import Backend, KeptServer, LiveServer


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptServer]:
    """Servers that the tests of this folder share. They end with it."""
    with kept_servers(tmp_path_factory) as kept:
        yield kept


@pytest.fixture(scope="package")
def agents(servers: KeptServer, backend: Backend) -> LiveServer:
    """A server on which everybody reaches what is theirs."""
    return servers(PROJECTS / "agents" / "langgraph.json", backend, 1)


@pytest.fixture(scope="package")
def ann(agents: LiveServer) -> User:
    return User(agents, bearer("ann-token"))


@pytest.fixture(scope="package")
def bob(agents: LiveServer) -> User:
    return User(agents, bearer("bob-token"))
