"""A run that kills the process that executes it: it ends, and it ends alone."""

from __future__ import annotations

from tests.conftest import StartServer
from tests.live_server import poll

from .client import assert_right, find, join, payload, submit
from .conftest import PROJECT
from .marks import Marks

ATTEMPTS = 3


def test_a_deadly_run_ends_in_an_error_and_takes_nobody_with_it(start_server: StartServer, marks: Marks) -> None:
    server = start_server(
        config=PROJECT,
        args=("--workers", "2", "--concurrency", "16"),
        env={"RUNYARD_MAX_ATTEMPTS": str(ATTEMPTS)},
    )
    deadly = [payload(marks, graph="fragile", deadly=True, keep=number > 0) for number in range(3)]
    innocent = [payload(marks, keep=number % 2 == 0) for number in range(120)]
    runs = submit(server, [*innocent[:20], deadly[0], *innocent[20:40], *deadly[1:], *innocent[40:]])
    deaths = [run for run in runs if run["kwargs"]["input"].get("deadly")]
    others = [run for run in runs if run not in deaths]
    answers = [join(server, run) for run in others]
    for answer in answers:
        assert_right(answer)
    for run in deaths:
        assert join(server, run)["__error__"]["error"] == "WorkerLost"
        if not run["kwargs"]["temporary"]:
            found = find(server, run)
            assert found["status"] == "error"
            assert found["kwargs"]["config"]["metadata"]["run_attempt"] == ATTEMPTS
            thread = server.get(f"/threads/{run['thread_id']}")
            assert thread["status"] == "error"
            assert thread["error"]["error"] == "WorkerLost"

    # Processes that died by themselves are noted here: no mark of theirs came after the next attempt's first.
    traces = marks.lines()
    for run in deaths:
        attempts = [line.split()[1] for line in traces if line.startswith(run["run_id"])]
        assert attempts == [str(number) for number in range(1, ATTEMPTS + 1)]
    hurt = [run for run in others if not run["kwargs"]["temporary"] and attempt(find(server, run)) > 1]
    assert hurt, "the deaths have to hit runs at work"

    # The server is as good as new.
    poll(lambda: len(server.workers()) >= 2, within=30)
    assert_right(join(server, submit(server, [payload(marks)])[0]))


def attempt(run: dict[str, object]) -> int:
    """At which attempt the run is or ended."""
    return int(run["kwargs"]["config"]["metadata"]["run_attempt"])  # type: ignore[index]
