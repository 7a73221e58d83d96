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
