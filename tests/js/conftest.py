"""Node with the packages of package-lock.json, for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import require_npm_packages, require_program


@pytest.fixture(scope="session")
def node() -> Path:
    """Node, with the packages of package-lock.json installed beside the scenarios."""
    node = require_program("node", why="the JavaScript client")
    require_npm_packages(Path(__file__).parent, why="the JavaScript client")
    return node
