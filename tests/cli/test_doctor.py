"""`runyard doctor`: what would start, what is ignored, what is missing; the exit code is for CI."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from .diagnosed import configure, diagnose, of, write_project
from .processes import Run

pytestmark = pytest.mark.full


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def test_a_project_that_is_fine(runyard: Run, project: Path) -> None:
    graphs = {"add": "./graphs.py:graph", "built": "./graphs.py:builder", "made": "./graphs.py:factory"}
    (project / "my.env").write_text("NAME=Ada\n")
    configure(project, graphs=graphs, env="my.env")
    before = {*project.iterdir()}

    code, findings = diagnose(runyard)

    assert code == 0
    assert {finding["level"] for finding in findings} == {"ok"}
    said = [finding["message"] for finding in findings if finding["check"] == "graph"]
    assert said == ["add loads", "built loads", "made loads, made anew for each run"]
    assert "1 variables" in of(findings, "env")["message"]
    assert "does not exist yet" in of(findings, "data")["message"]
    assert {*project.iterdir()} - before <= {project / "__pycache__"}, "it only looks"


def test_people_get_lines_and_a_sentence_at_the_end(runyard: Run, project: Path) -> None:
    result = runyard("doctor", project / "langgraph.json", "--port", "0")
    lines = result.stdout.decode().splitlines()
    assert result.returncode == 0
    assert "ok       graph: add loads" in lines
    assert lines[-1] == "It would start."


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import not_installed_anywhere", "not_installed_anywhere"),
        ("graph = (", "line 1"),
        ("graph = 1", "type int"),
        ("other = 1", "no 'graph'"),
        ("import os\nos._exit(7)", "exit code 7"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        ("import sys\nprint('last words', file=sys.stderr, flush=True)\nimport os\nos._exit(1)", "last words"),
        ("raise ValueError('x' * 1_000_000)", "characters left out"),
    ],
)
def test_a_graph_that_does_not_load_hides_no_other(runyard: Run, project: Path, code: str, said: str) -> None:
    (project / "broken.py").write_text(code)
    configure(project, graphs={"broken": "./broken.py:graph", "add": "./graphs.py:graph"})

    exit_code, findings = diagnose(runyard)

    broken, add = [finding for finding in findings if finding["check"] == "graph"]
    assert exit_code == 1
    assert (broken["level"], add["level"]) == ("problem", "ok")
    assert said in broken["message"]
    assert len(broken["message"]) < 10_000


def test_an_import_that_never_ends_is_ended_with_what_it_started(runyard: Run, project: Path) -> None:
    code = "import subprocess, pathlib, time\nchild = subprocess.Popen(['sleep', '600'])\n"
    (project / "endless.py").write_text(f"{code}pathlib.Path('pid').write_text(str(child.pid))\ntime.sleep(600)")
    configure(project, graphs={"endless": "./endless.py:graph"})

    code_, findings = diagnose(runyard, "--timeout", "8")

    assert code_ == 1
    assert "has not ended after 8 s" in of(findings, "graph")["message"]
    assert not is_alive(int((project / "pid").read_text()))


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"graphs": {"a": "./graphs.py"}}'])
def test_a_configuration_that_cannot_be_used(runyard: Run, project: Path, content: str) -> None:
    (project / "langgraph.json").write_text(content)
    code, findings = diagnose(runyard)
    assert code == 2
    assert of(findings, "config")["level"] == "unusable"


def test_a_configuration_that_is_not_there(runyard: Run, project: Path) -> None:
    code, findings = diagnose(runyard, "elsewhere.json")
    assert code == 2
    assert "no such file" in of(findings, "config")["message"]


def test_a_setting_that_is_wrong(runyard: Run, project: Path) -> None:
    configure(project, env={"RUNYARD_WORKERS": "many"})
    code, findings = diagnose(runyard)
    assert code == 2
    assert "RUNYARD_WORKERS" in of(findings, "settings")["message"]


def test_what_is_ignored_is_a_note(runyard: Run, project: Path) -> None:
    configure(project, nonsense={"agent": "./ui.tsx"}, surprise=1)
    code, findings = diagnose(runyard)
    assert code == 0
    notes = [finding["message"] for finding in findings if finding["level"] == "note"]
    assert len(notes) == 2
    assert all("ignored" in note for note in notes)


def test_of_each_key_it_is_said_what_is_done_with_it(runyard: Run, project: Path) -> None:
    ttl = {"default_ttl": 60, "strategy": "delete"}
    configure(project, checkpointer={"ttl": ttl}, image_distro="wolfi", priority={"path": "./p.py:p"}, store=None)

    code, findings = diagnose(runyard)

    assert code == 0
    said = [finding["message"] for finding in findings if finding["check"] == "key"]
    assert [message.split(":")[0] for message in said] == [
        "checkpointer.ttl.default_ttl is honoured",
        "checkpointer.ttl.strategy is honoured",
        "image_distro is not needed",
    ]
    (note,) = [finding["message"] for finding in findings if finding["level"] == "note"]
    assert "priority is ignored" in note


def test_a_key_that_stops_the_start_is_named_with_the_remedy(runyard: Run, project: Path) -> None:
    configure(project, checkpointer={"path": "./saver.py:make"})
    code, findings = diagnose(runyard)
    assert code == 2
    assert "checkpointer.path" in of(findings, "config")["message"]
    assert "remove the key" in of(findings, "config")["message"]


def test_a_dependency_that_is_missing_is_a_problem(runyard: Run, project: Path) -> None:
    configure(project, dependencies=[".", "not-installed-anywhere>=2"])
    code, findings = diagnose(runyard)
    assert code == 1
    assert "pip install 'not-installed-anywhere>=2'" in of(findings, "dependencies")["message"]


def test_what_components_would_be_built_with(
    runyard: Run, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, ui={"agent": "./ui.tsx"})
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    code, findings = diagnose(runyard)
    assert code == 1
    assert "components of agent cannot be built: node is not on the PATH" in of(findings, "ui")["message"]
    for name in ("node", "npm"):
        (programs / name).touch(0o755)
    code, findings = diagnose(runyard)
    assert code == 0
    assert "@langchain/langgraph-ui" in of(findings, "ui")["message"]


def test_whether_traces_are_sent(runyard: Run, project: Path) -> None:
    configure(project, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:secret@collector:4318"})
    found = of(diagnose(runyard, project / "langgraph.json")[1], "traces")
    assert found["level"] == "ok"
    assert "they are sent to http://collector:4318 (" in found["message"]


def test_the_embeddings_of_the_store_are_looked_at(runyard: Run, project: Path) -> None:
    (project / "embed.py").write_text("def embed(texts):\n    return [[1.0, 0.0] for _ in texts]\n")
    configure(project, store={"index": {"embed": "./embed.py:embed", "dims": 2}})
    code, findings = diagnose(runyard)
    assert (code, of(findings, "store")["level"]) == (0, "ok")
    configure(project, store={"index": {"embed": "./embed.py:missing", "dims": 2}})
    code, findings = diagnose(runyard)
    assert (code, of(findings, "store")["level"]) == (1, "problem")
    assert "has no 'missing'" in of(findings, "store")["message"]
    configure(project, store={"index": {"embed": "./embed.py", "dims": 2}})
    code, findings = diagnose(runyard)
    assert code == 2
    assert "store.index.embed must be" in of(findings, "config")["message"]
