"""Some of `scripts/chaos`: everything at once, at random, with a seed that is always the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "chaos"
LONGEST = 570.0
"""Seconds for start, a minute of rounds with what each takes to come to rest, and end."""


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_minute_of_chaos_breaks_no_promise() -> None:
    _disturb("--minutes", "1", "--seed", "20")


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_minute_of_chaos_over_several_servers_breaks_no_promise() -> None:
    _disturb("--database", "--minutes", "1", "--seed", "20")


def _disturb(*options: str) -> None:
    ended = subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, timeout=LONGEST)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "runs accepted" in ended.stdout
