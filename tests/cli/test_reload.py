"""`runyard serve --reload`: changes are served by fresh workers, and no run is lost by them."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.live_server import LiveServer, StartServer, poll

from .reloading import CODE, await_log, changed, configure, reloading_server, say, speak, write_project

pytestmark = pytest.mark.full


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


@pytest.fixture
def server(start_server: StartServer, project: Path) -> LiveServer:
    return reloading_server(start_server, project)


def await_first_step(server: LiveServer, thread: str) -> None:
    """Waits until a run on the thread has done its first step."""
    poll(lambda: (server.get(f"/threads/{thread}/state")["values"] or {}).get("steps"))


def await_gone(server: LiveServer, workers: list[int]) -> None:
    """Waits until none of these worker processes is connected any more."""
    poll(lambda: not {*server.workers()} & {*workers})


def test_changed_code_is_served_by_fresh_workers(server: LiveServer, project: Path) -> None:
    old = server.await_workers(2)
    assert say(server) == "hello Ada"
    # The same length, within the same second: compiled files would not notice.
    for word in ("HELLO", "Hello"):
        changed(server, partial(speak, project, word))
        assert say(server) == f"{word} Ada"
    await_gone(server, old)
    assert len(server.await_workers(2)) == 2


def test_a_change_that_breaks_one_graph_keeps_the_last_good_code_of_all(server: LiveServer, project: Path) -> None:
    (project / "aside.py").write_text("from talking import other\n")
    changed(server, lambda: configure(project, {"talk": "./talking.py:graph", "aside": "./aside.py:other"}))
    (project / "aside.py").write_text("from talking import nothing\n")
    await_log(server, "nothing")
    assert say(server) == "hello Ada"
    assert say(server, "aside") == "hello Ada"
    changed(server, lambda: (project / "aside.py").write_text("from talking import graph as other\n"))
    assert say(server, "aside") == "hello Ada"


def test_a_run_under_way_goes_on_in_the_new_code(server: LiveServer, project: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    thread = server.post("/threads", {})["thread_id"]
    runs = [server.post(f"/threads/{thread}/runs", {"assistant_id": "talk", "input": {"gate": str(gate)}})]
    other = server.post("/threads", {})["thread_id"]
    runs.append(server.post(f"/threads/{other}/runs", {"assistant_id": "talk", "input": {"gate": str(gate)}}))
    for run in runs:
        await_first_step(server, run["thread_id"])
    old = server.workers()
    changed(server, partial(speak, project, "good morning"))
    await_gone(server, old)
    gate.touch()
    for run in runs:
        values = server.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join")
        assert (values["said"], values["steps"]) == ("good morning Ada", ["first", "second"])


def test_a_run_that_blocks_its_worker_is_taken_from_it_and_not_blamed(
    server: LiveServer, project: Path, tmp_path: Path
) -> None:
    gate, graphs = tmp_path / "gate", {"talk": "./talking.py:blocking"}
    changed(server, lambda: configure(project, graphs))
    thread = server.post("/threads", {})["thread_id"]
    run = server.post(f"/threads/{thread}/runs", {"assistant_id": "talk", "input": {"gate": str(gate)}})
    for word in ("one", "two", "three"):  # more often than a run may be there when its worker dies
        poll(Path(f"{gate}.blocked").exists)
        Path(f"{gate}.blocked").unlink()
        changed(server, partial(speak, project, word))
    poll(Path(f"{gate}.blocked").exists)
    gate.touch()
    assert server.get(f"/threads/{thread}/runs/{run['run_id']}/join")["said"] == "three"


def test_a_stream_goes_on_across_a_reload(server: LiveServer, project: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    body = {"assistant_id": "talk", "input": {"gate": str(gate)}, "stream_mode": "updates"}
    with server.http.stream("POST", f"{server.url}/runs/stream", json=body) as answer:
        lines = answer.iter_lines()
        while "first" not in next(lines):
            pass
        old = server.workers()
        changed(server, partial(speak, project, "welcome"))
        await_gone(server, old)
        gate.touch()
        assert any("welcome Ada" in line for line in lines)


def test_broken_code_keeps_the_last_good_code_serving(server: LiveServer, project: Path) -> None:
    (project / "spoken.py").write_text('WORD = "hello\n')
    await_log(server, "what was served before goes on")
    assert "spoken.py, line 1" in server.log.read_text()
    assert say(server) == "hello Ada"
    changed(server, partial(speak, project, "mended"))
    assert say(server) == "mended Ada"


def test_an_import_that_never_ends_gives_way_to_the_next_change(server: LiveServer, project: Path) -> None:
    marker = project.parent / "importing"
    hang = f"import pathlib, time\npathlib.Path({str(marker)!r}).touch()\ntime.sleep(600)\n"
    (project / "spoken.py").write_text(hang)
    poll(marker.exists)
    assert say(server) == "hello Ada"
    changed(server, partial(speak, project, "awake"))
    assert say(server) == "awake Ada"


def test_the_api_process_knows_the_new_graphs(server: LiveServer, project: Path) -> None:
    def nodes(graph: str) -> list[str]:
        return [node["id"] for node in server.get(f"/assistants/{graph}/graph")["nodes"]]

    assert "first" in nodes("talk")
    changed(server, lambda: configure(project, {"talk": "./talking.py:other", "more": "./talking.py:graph"}))
    assert "first" not in nodes("talk")
    assert "first" in nodes("more")
    assert say(server, "more") == "hello Ada"
    found = server.post("/assistants/search", {"graph_id": "more"})
    assert [assistant["name"] for assistant in found] == ["more"]
    assert "more" in server.http.get(server.url, headers={"accept": "text/html"}).text

    code = CODE.replace('"first"', '"start"').replace("add_node(first)", 'add_node("start", first)')
    changed(server, lambda: (project / "talking.py").write_text(code))
    assert "start" in nodes("more")


def test_files_that_are_no_code_of_the_project_change_nothing(server: LiveServer, project: Path) -> None:
    workers = server.await_workers(2)
    for folder in (".git", "node_modules", "venv"):
        (project / folder).mkdir()
        (project / folder / "pyvenv.cfg").touch()
        (project / folder / "module.py").write_text("changed = True\n")
    (project / "notes.txt").write_text("changed")
    # A change that counts comes after them: it is the only one that is reported.
    changed(server, partial(speak, project, "hi"))
    assert server.log.read_text().count("served by fresh workers") == 1
    assert "reload: spoken.py changed" in server.log.read_text()
    await_gone(server, workers)


def test_it_is_off_by_default(start_server: StartServer, project: Path) -> None:
    server = start_server(config=project / "langgraph.json")
    workers = server.await_workers(2)
    (project / "spoken.py").write_text('WORD = "unheard"\n')
    time.sleep(1.5)  # nothing is to happen, which no event tells
    assert {*server.workers()} == {*workers}
    assert say(server) == "hello Ada"


def test_it_needs_worker_processes(runyard: Any, project: Path) -> None:
    result = runyard("serve", "--config", project / "langgraph.json", "--workers", "0", "--reload")
    assert result.returncode == 2
    assert b"--workers 0" in result.stderr
