"""The variables of a project, and the configs that LANGGRAPH_CONFIG names."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.config.environment import default_configs, joined, read_env
from runyard.runtime.errors import ConfigError

GRAPHS = ("agent",)


def test_variables_from_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# keys\nA=1\nexport B='two words'\nEMPTY=\nNOTHING\n")
    assert read_env(tmp_path / "langgraph.json", ".env") == {"A": "1", "B": "two words", "EMPTY": ""}


def test_a_missing_file_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read_env(tmp_path / "langgraph.json", ".env.local") == {}
    assert f"{tmp_path / '.env.local'} does not exist" in caplog.text


def test_values_become_the_text_that_a_file_has_for_them(tmp_path: Path) -> None:
    given = {"TRUE": True, "FALSE": False, "WHOLE": 8000, "PART": 0.25, "TEXT": "True"}
    texts = {"TRUE": "true", "FALSE": "false", "WHOLE": "8000", "PART": "0.25", "TEXT": "True"}
    assert read_env(tmp_path / "langgraph.json", given) == texts


@pytest.mark.parametrize("given", [{"A=B": "1"}, {"": "1"}, {"A": "x\0y"}, {"A": []}])
def test_what_no_variable_can_be_is_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="env") as error:
        read_env(tmp_path / "langgraph.json", given)
    assert "\n" not in error.value.detail


def test_the_project_wins_for_graphs_and_the_process_for_the_servers_settings() -> None:
    project = {"API_KEY": "file", "RUNYARD_PORT": "1", "DATABASE_URI": "file", "REDIS_URI": "file"}
    process = {"API_KEY": "shell", "RUNYARD_PORT": "2", "DATABASE_URI": "shell", "HOME": "/root"}
    assert joined(project, process) == {
        "API_KEY": "file",
        "RUNYARD_PORT": "2",
        "DATABASE_URI": "shell",
        "REDIS_URI": "file",
        "HOME": "/root",
    }


def test_configs_for_graphs(caplog: pytest.LogCaptureFixture) -> None:
    config = {"configurable": {"model": "small"}, "tags": ["a"], "recursion_limit": 5}
    text = json.dumps({"agent": config, "nobody": {}})
    with caplog.at_level(logging.WARNING):
        assert default_configs({"LANGGRAPH_CONFIG": text}, GRAPHS)["agent"] == config
    assert "there is no graph 'nobody'" in caplog.text
    assert default_configs({"LANGGRAPH_CONFIG": ""}, GRAPHS) == {}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"agent": 1}',
        '{"agent": {"configurable": []}}',
        '{"agent": {"tags": "a"}}',
        '{"agent": {"recursion_limit": 0}}',
        '{"agent": {"metadata": 1}}',
    ],
)
def test_what_are_no_configs_names_the_variable(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^LANGGRAPH_CONFIG: ") as error:
        default_configs({"LANGGRAPH_CONFIG": text}, GRAPHS)
    assert "\n" not in error.value.detail
