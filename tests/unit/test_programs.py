"""A test whose program is missing: skipped and reported on a laptop, failed in CI."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests import programs
from tests.programs import report_untested, require_program


@pytest.fixture(autouse=True)
def laptop_without_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    # Otherwise the report of this very run would name the programs of these tests.
    monkeypatch.setattr(programs, "_untested", {})


def report(config: pytest.Config) -> str:
    written = io.StringIO()
    report_untested(pytest.TerminalReporter(config, written))
    return written.getvalue()


def test_a_program_on_the_path_is_found(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    program = tmp_path / "node"
    program.touch(mode=0o755)
    assert require_program("node", why="the client") == program
    assert report(pytestconfig) == ""


def test_a_laptop_without_the_program_skips_and_reports_what_is_not_tested(pytestconfig: pytest.Config) -> None:
    for _ in range(2):
        with pytest.raises(pytest.skip.Exception, match="the client is not tested: node is not on the PATH; install"):
            require_program("node", why="the client")
    said = report(pytestconfig)
    assert "NOT TESTED" in said
    assert said.count("WARNING: the client is not tested: node is not on the PATH; install Node 20 or newer") == 1


def test_ci_without_the_program_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="node is not on the PATH; install Node 20"):
        require_program("node", why="the client")
