"""Servers of sample projects with authorisation, and their users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kept_servers import kept_servers
from tests.live_server import Backend, KeptServer, LiveServer

from .users import PROJECTS, Owned, User, bearer, make


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptServer]:
    """Servers that the tests of this folder share. They end with it."""
    with kept_servers(tmp_path_factory) as kept:
        yield kept


@pytest.fixture(scope="package")
def owners(servers: KeptServer, backend: Backend) -> LiveServer:
    """A server on which everybody reaches what is theirs."""
    return servers(PROJECTS / "owners" / "langgraph.json", backend, 1)


@pytest.fixture(scope="package")
def strict(servers: KeptServer, backend: Backend) -> LiveServer:
    """A server that allows what handlers name, and nothing else."""
    return servers(PROJECTS / "deny_by_default" / "langgraph.json", backend, 1)


@pytest.fixture(scope="package")
def shared(servers: KeptServer, backend: Backend) -> LiveServer:
    """A server of several tenants."""
    return servers(PROJECTS / "tenants" / "langgraph.json", backend, 1)


@pytest.fixture(scope="package")
def ann(owners: LiveServer) -> User:
    return User(owners, bearer("ann-token"))


@pytest.fixture(scope="package")
def bob(owners: LiveServer) -> User:
    return User(owners, bearer("bob-token"))


@pytest.fixture(scope="module")
def theirs(bob: User) -> Owned:
    """What Bob has."""
    return make(bob)


@pytest.fixture
def thread(ann: User) -> str:
    """A thread of Ann's."""
    return ann.new_thread()
