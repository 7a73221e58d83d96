"""Graphs are found in files and modules, and complained about in one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from runyard.runtime.errors import ConfigError

from .written_graphs import GRAPH_SOURCE, written_graphs


def test_graphs_are_found_in_modules_files_and_folders(tmp_path: Path) -> None:
    graphs = written_graphs(
        tmp_path,
        {
            "a": "./src/my_agent/graph.py:graph",
            "b": "my_agent.graph:graph",
            "c": "./odd-name.py:graph",
            "d": "./elsewhere/lone_graph.py:graph",
        },
        {
            "src/my_agent/__init__.py": "",
            "src/my_agent/graph.py": "from .nodes import graph",
            "src/my_agent/nodes.py": GRAPH_SOURCE,
            "odd-name.py": GRAPH_SOURCE,
            "elsewhere/lone_graph.py": "from sibling_graph import graph",
            "elsewhere/sibling_graph.py": GRAPH_SOURCE,
        },
        dependencies=["./src"],
    )
    graphs.load()
    # One module for one file, so that its classes exist once.
    assert graphs._static["a"].nodes["n"].bound is graphs._static["b"].nodes["n"].bound
    assert any(name.startswith("odd_name_") for name in sys.modules)


def test_a_file_named_like_an_existing_module_does_not_replace_it(tmp_path: Path) -> None:
    json_before = sys.modules["json"]
    graphs = written_graphs(tmp_path, {"a": "./json.py:graph"}, {"json.py": GRAPH_SOURCE})
    graphs.load()
    assert sys.modules["json"] is json_before


def test_the_projects_variables_win_but_for_runyards_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALREADY_SET", "shell")
    monkeypatch.setenv("RUNYARD_PORT", "1")
    monkeypatch.setenv("NEWLY_SET", "")
    monkeypatch.delenv("NEWLY_SET")
    graphs = written_graphs(
        tmp_path,
        {"g": "./reads_env.py:graph"},
        {"reads_env.py": f"import os\nassert os.environ['NEWLY_SET'] == 'file'\n{GRAPH_SOURCE}"},
        env={"ALREADY_SET": "file", "NEWLY_SET": "file", "RUNYARD_PORT": "2"},
    )
    graphs.load()
    assert (os.environ["ALREADY_SET"], os.environ["RUNYARD_PORT"]) == ("file", "1")


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("./missing.py:graph", "", "missing.py does not exist"),
        ("no_such_package.module:graph", "", "No module named 'no_such_package'; install"),
        ("./my_graph.py:grahp", GRAPH_SOURCE, "has no 'grahp'; it has graph"),
        ("./my_graph.py:graph", "import no_such_package\n", "my_graph.py, line 1): ModuleNotFoundError"),
        ("./my_graph.py:graph", "\n\ndef broken(:\n", "my_graph.py, line 3): SyntaxError"),
        ("./my_graph.py:graph", "raise SystemExit(7)", "SystemExit: 7"),
        ("./my_graph.py:graph", "class E(Exception):\n def __str__(self): 1/0\nraise E", "E: (no text"),
        ("./my_graph.py:graph", "x = 1\ndef f():\n  1 / 0\nf()", "line 3): ZeroDivisionError"),
        ("./my_graph.py:graph", "graph = {}", "is of type dict; it must be a compiled graph"),
        ("./my_graph.py:graph", "class graph: pass", "is of type type"),
        ("./my_graph.py:graph", "def graph(a, b): pass", "is a function of (a, b)"),
        ("./my_graph.py:graph", "def graph(user: str): pass", "is a function of (user: str); 'user: str' is none of"),
        ("./my_graph.py:graph", GRAPH_SOURCE.replace(', "n")', ', "nowhere")'), "does not compile: ValueError"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(tmp_path: Path, path: str, text: str, said: str) -> None:
    graphs = written_graphs(tmp_path, {"mine": path}, {"my_graph.py": text})
    with pytest.raises(ConfigError) as error:
        graphs.load()
    assert said in error.value.detail
    assert 'graph "mine"' in error.value.detail
    assert str(tmp_path / "langgraph.json") in error.value.detail
    assert "\n" not in error.value.detail


@pytest.mark.parametrize(
    ("file", "dependencies", "said"),
    [
        ("pyproject.toml", ["."], "pip install -e ."),
        ("setup.py", ["."], "pip install -e ."),
        ("requirements.txt", ["."], "pip install -r requirements.txt"),
        ("agents/pyproject.toml", ["./agents"], "pip install -e agents"),
        ("agents/requirements.txt", ["./agents"], "pip install -r agents/requirements.txt"),
        ("elsewhere/pyproject.toml", ["."], 'add its folder to "dependencies"'),
    ],
)
def test_a_missing_module_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, dependencies: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"g.py": "import not_installed_anywhere", file: ""}
    graphs = written_graphs(tmp_path, {"g": "./g.py:graph"}, files, dependencies=dependencies)
    with pytest.raises(ConfigError) as error:
        graphs.load()
    assert error.value.detail.endswith(said)


def test_one_graph_that_cannot_be_loaded_keeps_no_other_from_it(tmp_path: Path) -> None:
    files = {"good.py": GRAPH_SOURCE, "bad.py": "1 / 0"}
    graphs = written_graphs(tmp_path, {"bad": "./bad.py:graph", "good": "./good.py:graph"}, files)
    graphs.load()
    assert list(graphs.not_loaded) == ["bad"]
    assert "ZeroDivisionError" in graphs.not_loaded["bad"]
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        graphs.load(strict=True)


def test_a_project_without_a_graph_that_can_be_loaded_is_refused_with_the_names_of_all(tmp_path: Path) -> None:
    graphs = written_graphs(tmp_path, {"a": "./a.py:graph", "b": "./b.py:graph"}, {"a.py": "1 / 0", "b.py": "1 / 0"})
    with pytest.raises(ConfigError) as error:
        graphs.load()
    assert error.value.detail.endswith("these cannot be loaded either: b")
    assert "\n" not in error.value.detail
