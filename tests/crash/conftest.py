"""`marks`: where the graphs of tests/crash/project leave their marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from .marks import Marks

PROJECT = Path(__file__).parent / "project" / "langgraph.json"


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "marks")
