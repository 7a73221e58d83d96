"""When `runyard backup` has nothing to copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from runyard.handlers.cli.main import main

from .postgres_servers import write_project


@pytest.mark.parametrize("has_project", [True, False])
def test_what_is_kept_in_a_postgres_is_not_copied_from_a_directory(tmp_path: Path, has_project: bool) -> None:
    project = write_project(tmp_path) if has_project else tmp_path / "langgraph.json"
    runner = CliRunner(env={"RUNYARD_DATABASE": "postgresql://me:hidden@host/name"})
    result = runner.invoke(main, ["backup", str(tmp_path / "copy"), "--config", str(project)])
    assert result.exit_code == 1
    assert "pg_dump" in result.stderr
    assert "hidden" not in result.output
    assert not (tmp_path / "copy").exists()
