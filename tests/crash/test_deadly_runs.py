"""A run that kills the process that executes it: it ends, and it ends alone."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.live_server import StartServer, poll

from .client import assert_each_step_once, attempt_of, get_run, join_run, run_payload, submit_batch
from .step_log import PROJECT, StepLog

ATTEMPTS = 3


def test_a_deadly_run_ends_in_an_error_and_takes_nobody_with_it(start_server: StartServer, step_log: StepLog) -> None:
    server = start_server(
        config=PROJECT,
        args=("--workers", "2", "--concurrency", "16"),
        env={"RUNYARD_MAX_ATTEMPTS": str(ATTEMPTS)},
    )
    deadly = [run_payload(step_log, graph="deadly", deadly=True, keep=number > 0) for number in range(3)]
    innocent = [run_payload(step_log, keep=number % 2 == 0) for number in range(120)]
    runs = submit_batch(server, [*innocent[:20], deadly[0], *innocent[20:40], *deadly[1:], *innocent[40:]])
    deaths = [run for run in runs if run["kwargs"]["input"].get("deadly")]
    others = [run for run in runs if run not in deaths]
    answers = [join_run(server, run) for run in others]
    for answer in answers:
        assert_each_step_once(answer)
    for run in deaths:
        assert join_run(server, run)["__error__"]["error"] == "WorkerLost"
        if not run["kwargs"]["temporary"]:
            found = get_run(server, run)
            assert found["status"] == "error"
            assert attempt_of(found) == ATTEMPTS
            thread = server.get(f"/threads/{run['thread_id']}")
            assert thread["status"] == "error"
            assert thread["error"]["error"] == "WorkerLost"

    # Processes that died by themselves are noted here: no step of theirs came after the next attempt's first.
    steps = step_log.lines()
    for run in deaths:
        attempts = [line.split()[1] for line in steps if line.startswith(run["run_id"])]
        assert attempts == [str(number) for number in range(1, ATTEMPTS + 1)]
    hurt = [run for run in others if not run["kwargs"]["temporary"] and attempt_of(get_run(server, run)) > 1]
    assert hurt, "the deaths have to hit runs at work"

    # The server is as good as new.
    poll(lambda: len(server.workers()) >= 2)
    assert_each_step_once(join_run(server, submit_batch(server, [run_payload(step_log)])[0]))


@pytest.mark.full
def test_the_neighbours_of_a_deadly_run_are_not_tried_again_one_by_one(
    start_server: StartServer, step_log: StepLog
) -> None:
    """Of one deadly run among 40, only its group is left for the last attempts, each made alone."""
    server = start_server(config=PROJECT, args=("--workers", "1"), env={"RUNYARD_MAX_ATTEMPTS": "3"})
    server.await_workers(1)
    innocent = [run_payload(step_log, steps=2, delay=0.5) for _ in range(40)]
    fatal = run_payload(step_log, graph="deadly", deadly=True, delay=0.5)
    runs = submit_batch(server, [*innocent[:20], fatal, *innocent[20:]])
    deadly = runs.pop(20)
    for run in runs:
        assert_each_step_once(join_run(server, run), steps=2)
    assert join_run(server, deadly)["__error__"]["error"] == "WorkerLost"
    assert attempt_of(get_run(server, deadly)) == 3
    attempts = [attempt_of(get_run(server, run)) for run in runs]
    assert attempts.count(2) > attempts.count(3), "those of other groups were cleared by their second attempt"
    second = {(run_id, pid) for run_id, attempt, _, pid, _ in map(str.split, step_log.lines()) if attempt == "2"}
    together = Counter(pid for _, pid in second)
    assert len(together) >= 2, "several groups"
    assert max(together.values()) >= 5, "of several runs each"
