"""Servers of what earlier revisions left: they wrote files."""

from __future__ import annotations

import pytest

from tests.live_server import Backend


@pytest.fixture(scope="session")
def backend() -> Backend:
    return "sqlite"
