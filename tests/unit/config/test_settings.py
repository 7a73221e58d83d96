"""The settings: where they come from, and what is said about what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError


@pytest.fixture
def project(tmp_path: Path) -> Project:
    content = {"graphs": {"g": "./g.py:graph"}, "env": {"RUNYARD_PORT": "9001", "RUNYARD_HOST": "file"}}
    (tmp_path / "langgraph.json").write_text(json.dumps(content))
    return load_project(tmp_path)


def test_settings_come_from_flags_then_environment_then_project_then_defaults(project: Project) -> None:
    settings = Settings.from_environment(
        project,
        environment={"RUNYARD_HOST": "shell", "RUNYARD_WORKERS": "3", "RUNYARD_SYNC": "full", "OTHER": "1"},
        workers=0,
        concurrency=None,
    )
    assert (settings.workers, settings.host, settings.port) == (0, "shell", 9001)
    assert (settings.sync, settings.concurrency, settings.data_dir) == ("full", 256, Path(".runyard"))
    assert settings.project is project


def test_an_empty_variable_of_the_process_says_nothing(project: Project) -> None:
    assert Settings.from_environment(project, environment={"RUNYARD_PORT": ""}).port == 9001


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RUNYARD_PORT", "http", 'RUNYARD_PORT: "http" is not a whole number from 0 to 65535'),
        ("RUNYARD_PORT", "70000", "RUNYARD_PORT: 70000"),
        ("RUNYARD_CONCURRENCY", "0", "RUNYARD_CONCURRENCY"),
        ("RUNYARD_LEASE_SECONDS", "nan", "RUNYARD_LEASE_SECONDS"),
        ("RUNYARD_SYNC", "off", "normal, full"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(project: Project, variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Settings.from_environment(project, environment={variable: value})
    assert said in error.value.detail


def test_a_bad_flag_is_named_as_a_flag(project: Project) -> None:
    with pytest.raises(ConfigError, match="--body-limit"):
        Settings.from_environment(project, environment={}, body_limit="many")


def test_an_override_that_does_not_exist_is_a_defect(project: Project) -> None:
    with pytest.raises(TypeError, match="colour"):
        Settings.from_environment(project, environment={}, colour="red")
