"""Servers of sample projects with authorisation, and their users."""

from __future__ import annotations

import pytest

from tests.live_server import Backend, KeptServer, LiveServer

from .users import PROJECTS, Owned, User, bearer, make


@pytest.fixture(scope="session")
def owners(kept_server: KeptServer, backend: Backend) -> LiveServer:
    """A server on which everybody reaches what is theirs."""
    return kept_server(PROJECTS / "owners" / "langgraph.json", backend, 1)


@pytest.fixture(scope="session")
def strict(kept_server: KeptServer, backend: Backend) -> LiveServer:
    """A server that allows what handlers name, and nothing else."""
    return kept_server(PROJECTS / "deny_by_default" / "langgraph.json", backend, 1)


@pytest.fixture(scope="session")
def shared(kept_server: KeptServer, backend: Backend) -> LiveServer:
    """A server of several tenants."""
    return kept_server(PROJECTS / "tenants" / "langgraph.json", backend, 1)


@pytest.fixture(scope="session")
def ann(owners: LiveServer) -> User:
    return User(owners, bearer("ann-token"))


@pytest.fixture(scope="session")
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
