"""`runyard batch` in this process, against a fake server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from runyard.handlers.cli.main import main
from tests.cli.processes import Run


@pytest.fixture
def runyard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in this process, which takes a tenth of the time."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, stdin: bytes = b"", url: str = "") -> subprocess.CompletedProcess[bytes]:
        given = [str(argument) for argument in arguments]
        result = CliRunner().invoke(
            main, given, input=stdin, prog_name="runyard", env={"RUNYARD_URL": url, "COLUMNS": "200"}
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return subprocess.CompletedProcess(given, result.exit_code, result.stdout_bytes, result.stderr_bytes)

    return run
