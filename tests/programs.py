"""What tests do without a program that they need: on a laptop they are skipped, loudly; in CI they fail. A browser is
not everywhere, so tests that need one are skipped in CI too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest

INSTALL = {
    "uv": "scripts/install installs it",
    "node": "install Node 20 or newer from https://nodejs.org or with your package manager",
    "npm": "install Node 20 or newer with npm from https://nodejs.org or with your package manager",
}
"""How to get each program that a test may ask for."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""Any of them will do."""

_untested: dict[str, None] = {}


def require_program(name: str, *, why: str) -> Path:
    """Where a program is; without it, the test does not go on. `why` says what is not tested then.

    Where the environment says CI=true, nobody reads what was skipped, so there the test fails.
    """
    found = _find(name)
    if found is not None:
        return found
    message = f"{why} is not tested: {name} is not on the PATH; {INSTALL[name]}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message, pytrace=False)
    return _skip(message)


def require_browser(*, why: str) -> Path:
    """Chromium. Without it, the test is skipped, in CI too."""
    for name in BROWSERS:
        if (found := _find(name)) is not None:
            return found
    return _skip(f"{why} is not tested: none of {', '.join(BROWSERS)} is on the PATH")


def _find(name: str) -> Path | None:
    # What the environment of the tests has goes first: scripts/install puts some programs there.
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(places))
    return None if found is None else Path(found)


def _skip(message: str) -> NoReturn:
    _untested[message] = None
    pytest.skip(message)


def require_npm_packages(folder: Path, *, why: str) -> Path:
    """The `node_modules` of a folder, with what its package-lock.json names. Without npm, the test does not go on."""
    npm = require_program("npm", why=why)
    packages = folder / "node_modules"
    # A copy of the lock that was installed: npm itself touches the files that it keeps there.
    wanted, installed = (folder / "package-lock.json").read_text(), packages / ".installed-lock.json"
    if not installed.exists() or installed.read_text() != wanted:
        command: list[str | Path] = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
        if done.returncode:
            pytest.fail(f"npm ci failed in {folder}: {done.stderr}", pytrace=False)
        installed.write_text(wanted)
    return packages


def untested() -> list[str]:
    """What this process did not test."""
    return [*_untested]


def note_untested(messages: Iterable[str]) -> None:
    """What another process of this test run did not test."""
    _untested.update(dict.fromkeys(messages))


def report_untested(reporter: pytest.TerminalReporter) -> None:
    """Says at the end of a run, in a section of its own, what the run did not test."""
    if _untested:
        reporter.section("NOT TESTED", sep="!", yellow=True, bold=True)
        for message in _untested:
            reporter.line(f"WARNING: {message}", yellow=True)
