"""Batches that are submitted by `runyard batch`, and what it says."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.cli.fake_server import FakeServer
from tests.cli.processes import Run


def lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def text(result: subprocess.CompletedProcess[bytes]) -> str:
    return result.stderr.decode()


def accepted(runyard: Run, fake: FakeServer, given: bytes, *more: str) -> str:
    """The id of a batch that is submitted."""
    result = runyard("batch", "submit", "-", "--assistant", "echo", *more, stdin=given, url=fake.url)
    assert result.returncode == 0, text(result)
    return result.stdout.decode().strip()
