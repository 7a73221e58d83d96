"""Tests marked `full` run with --full alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def collected(*options: str) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/full/test_lowest_versions.py",
        "tests/unit/test_release.py",
        "--collect-only",
        "-q",
    ]
    return subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=240, check=True
    ).stdout


@pytest.mark.full
def test_full_tests_are_left_out_and_counted_as_such() -> None:
    said = collected()
    assert "tests/full/" not in said
    assert "tests/unit/test_release.py::" in said
    assert "deselected" in said


@pytest.mark.full
def test_full_adds_them_to_the_others() -> None:
    said = collected("--full")
    assert "tests/full/test_lowest_versions.py::" in said
    assert "tests/unit/test_release.py::" in said
    assert "deselected" not in said
