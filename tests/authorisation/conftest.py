"""Servers of sample projects with authorisation, and their users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live_server import LiveServer

from .users import User, bearer, server_of


@pytest.fixture(scope="session")
def owners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server on which everybody reaches what is theirs."""
    yield from server_of("owners", tmp_path_factory.mktemp("owners"))


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that allows what handlers name, and nothing else."""
    yield from server_of("deny_by_default", tmp_path_factory.mktemp("strict"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of several tenants."""
    yield from server_of("tenants", tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def ann(owners: LiveServer) -> User:
    return User(owners, bearer("ann-token"))


@pytest.fixture(scope="session")
def bob(owners: LiveServer) -> User:
    return User(owners, bearer("bob-token"))
