"""`runyard doctor`: what would start, what is ignored, what is missing; the exit code is for CI."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from pathlib import Path
from typing import Any

import psutil
import pytest

from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.live_server import StartServer

from .processes import Run

GRAPHS = """
from typing import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    n: int

def work(state):
    return {"n": 1}

builder = StateGraph(State).add_node(work).add_edge(START, "work")
graph = builder.compile()

def factory(config):
    raise RuntimeError("needs a run")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "graphs.py").write_text(GRAPHS)
    configure(tmp_path)
    return tmp_path


def configure(folder: Path, **config: Any) -> None:
    content = {"graphs": {"add": "./graphs.py:graph"}, **config}
    (folder / "langgraph.json").write_text(json.dumps(content))


def diagnose(runyard: Run, *arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and findings."""
    result = runyard("doctor", "--json", "--port", "0", *arguments)
    assert result.stderr == b""
    report = json.loads(result.stdout)
    assert {"ok": 0, "note": 0, "problem": 1, "unusable": 2}[report["worst"]] == result.returncode
    return result.returncode, report["findings"]


def of(findings: list[dict[str, Any]], check: str) -> dict[str, Any]:
    """The one finding of a check."""
    (found,) = [finding for finding in findings if finding["check"] == check]
    return found


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


def test_a_port_that_is_taken(runyard: Run, project: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, findings = diagnose(runyard, "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "--port" in of(findings, "port")["message"]


def test_a_data_directory_that_is_in_use(runyard: Run, start_server: StartServer, project: Path) -> None:
    server = start_server(config=project / "langgraph.json", args=("--workers", "1"))
    code, findings = diagnose(runyard, "--data", server.data)
    assert code == 1
    assert "used by another" in of(findings, "data")["message"]
    server.stop()
    code, findings = diagnose(runyard, "--data", server.data)
    assert (code, of(findings, "data")["level"]) == (0, "ok")
    assert server.start().get("/ok")["ok"] is True


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_directory_that_cannot_be_written(runyard: Run, project: Path) -> None:
    (project / "data").mkdir(mode=0o500)
    code, findings = diagnose(runyard, "--data", "data")
    assert code == 1
    assert "written" in of(findings, "data")["message"]


def test_a_data_directory_that_cannot_be_made(runyard: Run, project: Path) -> None:
    code, findings = diagnose(runyard, "--data", "graphs.py/data")
    assert code == 1
    assert "cannot be made" in of(findings, "data")["message"]


@pytest.mark.parametrize(
    ("statement", "level", "said"),
    [
        ("insert into _sqlite_migrations values ('runyard', '9999_later', '')", "note", "9999_later"),
        ("update schema_version set version = 9999, oldest_reader = 9998", "problem", "version 9998"),
        ("delete from _sqlite_migrations where name = '0002_threads'", "note", "0002_threads"),
        ("drop table _sqlite_migrations", "problem", "no database of Runyard's"),
    ],
)
def test_the_schema_of_the_database(runyard: Run, project: Path, statement: str, level: str, said: str) -> None:
    data = project / "data"
    data.mkdir()
    with sqlite3.connect(data / "runyard.db") as database:
        database.execute("create table _sqlite_migrations (migration_set text, name text, applied_at text)")
        database.execute("create table schema_version (version integer, oldest_reader integer)")
        database.execute("insert into schema_version values (7, 7)")
        names = ["0001_start", "0002_threads"]
        database.executemany("insert into _sqlite_migrations values ('runyard', ?, '')", [(name,) for name in names])
        database.execute(statement)
    database.close()

    _, findings = diagnose(runyard, "--data", "data")

    found = of(findings, "data")
    assert found["level"] == level
    assert said in found["message"]


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


AUTH = """
from langgraph_sdk import Auth

auth, empty = Auth(), Auth()

@auth.authenticate
async def authenticate(headers):
    return "ann"
"""


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("auth", 0, "./auth.py:auth says who makes a request"),
        ("empty", 2, "has no handler that says who asks"),
        ("nothing", 2, "has no 'nothing'"),
    ],
)
def test_what_says_who_asks_is_loaded_too(runyard: Run, project: Path, name: str, code: int, said: str) -> None:
    (project / "auth.py").write_text(AUTH)
    configure(project, auth={"path": f"./auth.py:{name}"})
    found_code, findings = diagnose(runyard, project)
    found = of(findings, "auth")
    assert (found_code, found["level"]) == (code, "unusable" if code else "ok")
    assert said in found["message"]


APP = """
from starlette.applications import Starlette

app = Starlette()

def make_app():
    return app
"""


@pytest.mark.parametrize(
    ("name", "code", "level", "said"),
    [
        ("app", 0, "ok", "./app.py:app loads"),
        ("make_app", 2, "unusable", "name what it returns: app = make_app()"),
        ("absent", 2, "unusable", "app.py has no 'absent'"),
    ],
)
def test_the_projects_own_application(runyard: Run, project: Path, name: str, code: int, level: str, said: str) -> None:
    (project / "app.py").write_text(APP)
    configure(project, http={"app": f"./app.py:{name}"})
    found_code, findings = diagnose(runyard)
    found = of(findings, "app")
    assert (found_code, found["level"]) == (code, level)
    assert said in found["message"]


ENCRYPTION = """
from langgraph_sdk import Encryption

encryption, half = Encryption(), Encryption()

@encryption.encrypt.blob
@encryption.decrypt.blob
async def turned(ctx, data):
    return data[::-1]

@half.encrypt.blob
async def encrypt(ctx, data):
    return data
"""


@pytest.mark.parametrize(
    ("name", "code", "levels", "said"),
    [
        ("encryption", 0, ["ok", "note"], "./encryption.py:encryption encrypts what is stored"),
        ("half", 2, ["unusable"], "has no handler for decrypt.blob"),
        ("absent", 2, ["unusable"], "has no 'absent'"),
    ],
)
def test_what_encrypts_is_loaded_too(
    runyard: Run, project: Path, name: str, code: int, levels: list[str], said: str
) -> None:
    (project / "encryption.py").write_text(ENCRYPTION)
    configure(project, encryption={"path": f"./encryption.py:{name}"})
    found_code, findings = diagnose(runyard, project)
    found = [finding for finding in findings if finding["check"] == "encryption"]
    assert (found_code, [finding["level"] for finding in found]) == (code, levels)
    assert said in found[0]["message"]


def test_data_that_are_encrypted_need_the_encryption(runyard: Run, project: Path) -> None:
    storage = SqliteStorage(project / ".runyard" / "runyard.db")
    storage.open(maintain=False, encrypted=True)
    storage.close()
    code, findings = diagnose(runyard, project)
    assert code == 1
    assert "holds encrypted data" in of(findings, "data")["message"]
