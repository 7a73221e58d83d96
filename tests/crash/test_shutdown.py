"""SIGTERM: what runs is handed back, and the next server goes on from the last checkpoint."""

from __future__ import annotations

import json
import os
import signal

import pytest

from runyard.runtime.scope import Scope
from tests.live_server import StartServer, poll

from .client import assert_each_step_once, attempt_of, get_run, join_run, run_payload, submit_batch
from .step_log import PROJECT, RunTrace, StepLog
from .stored_data import OpenStorage

pytestmark = pytest.mark.postgres

STEPS = 3
LEVELS = {**{str(step): step for step in range(STEPS)}, "left": STEPS, "right": STEPS}
"""The steps of a run, and which of them come after which."""


def safe_steps(trace: RunTrace) -> set[str]:
    """The steps that must not be made again: later ones had begun. One that ended in the moment of the stop may have
    been stopped before LangGraph had taken what it returned."""
    reached = max((LEVELS[step] for step in trace.started), default=0)
    return {step for step in trace.ended if LEVELS[step] < reached}


def attempts_after(trace: RunTrace | None) -> tuple[int, ...]:
    """At which attempt the steps of a run may have come to their end, by what there was at the stop."""
    if trace is None:
        return (1,)
    # With all steps done it may have ended, or have been stopped in that moment.
    return (1, 2) if {*trace.ended} == {*LEVELS} else (2,)


@pytest.mark.parametrize("whom", ["the server", "the whole group"])
def test_runs_are_handed_back_and_continued(start_server: StartServer, step_log: StepLog, whom: str) -> None:
    server = start_server(config=PROJECT, env={"RUNYARD_SHUTDOWN_GRACE": "0.1"})
    server.await_workers(2)
    runs = submit_batch(
        server, [run_payload(step_log, keep=number % 2 == 0, steps=STEPS, delay=0.2) for number in range(40)]
    )
    poll(lambda: step_log.started() > 60)
    if whom == "the whole group":  # as service managers do
        os.killpg(server.pid, signal.SIGTERM)
    assert server.stop() == 0
    poll(lambda: not server.processes())
    interrupted = step_log.traces()
    assert any(trace.ended for trace in interrupted.values())
    assert not any(trace.open for trace in interrupted.values()), "no step was left behind at work"

    server.start()
    for run in runs:
        assert_each_step_once(join_run(server, run), steps=STEPS)
    traces = step_log.traces()
    for run_id, trace in traces.items():
        assert {*trace.ended} == {*LEVELS}
        assert trace.attempt in attempts_after(interrupted.get(run_id))
        for step in safe_steps(interrupted.get(run_id, RunTrace())):
            assert trace.started.count(step) == 1, "it was made again"
    for run in runs:
        if not run["kwargs"]["temporary"]:
            assert attempt_of(get_run(server, run)) in (1, 2)


async def test_runs_that_end_in_time_are_not_handed_back(
    start_server: StartServer, open_storage: OpenStorage, step_log: StepLog
) -> None:
    server = start_server(config=PROJECT, env={"RUNYARD_SHUTDOWN_GRACE": "50"})
    server.await_workers(2)
    runs = submit_batch(server, [run_payload(step_log, delay=0.1) for _ in range(8)])
    poll(lambda: not server.metrics()["queue"]["pending"])
    assert server.stop() == 0
    storage = open_storage(server)
    for run in runs:
        ended = await storage.runs.get(Scope.everything(), run["thread_id"], run["run_id"])
        assert ended is not None
        assert ended.status == "success"
        assert ended.kwargs["config"]["metadata"]["run_attempt"] == 1
        assert_each_step_once(json.loads(await storage.threads.values(Scope.everything(), run["thread_id"]) or b""))
