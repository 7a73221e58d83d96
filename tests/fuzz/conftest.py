"""Leaves out what takes long to be collected."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Schemathesis makes up the requests of a module while it is collected, for some ten seconds: with --full alone."""
    makes_tests = collection_path.name == "test_without_credentials.py"
    return True if makes_tests and not config.getoption("--full") else None
