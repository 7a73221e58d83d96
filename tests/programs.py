"""What tests do without a program that they need: on a laptop they are skipped, loudly; in CI they fail."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

INSTALL = {
    "uv": "install it with: pip install uv",
    "node": "install Node 20 or newer from https://nodejs.org or with your package manager",
    "npm": "install Node 20 or newer with npm from https://nodejs.org or with your package manager",
}
"""How to get each program that a test may ask for."""

_untested: dict[str, None] = {}


def require_program(name: str, *, why: str) -> Path:
    """Where a program is; without it, the test does not go on. `why` says what is not tested then.

    Where the environment says CI=true, nobody reads what was skipped, so there the test fails.
    """
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    message = f"{why} is not tested: {name} is not on the PATH; {INSTALL[name]}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message, pytrace=False)
    _untested[message] = None
    pytest.skip(message)


def report_untested(reporter: pytest.TerminalReporter) -> None:
    """Says at the end of a run, in a section of its own, what the run did not test."""
    if _untested:
        reporter.section("NOT TESTED", sep="!", yellow=True, bold=True)
        for message in _untested:
            reporter.line(f"WARNING: {message}", yellow=True)
