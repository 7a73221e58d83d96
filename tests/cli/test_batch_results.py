"""Results come out in the order of the input, whatever order they come in."""

import json

from runyard.handlers.cli.batch.results import Result, Results


def runs(count: int) -> list[Result]:
    return [Result(line=n, run_id=f"run {n}", thread_id=f"thread {n}", status="pending") for n in range(1, count + 1)]


def test_order_and_early_emission() -> None:
    emitted: list[Result] = []
    pending = runs(4)
    results = Results(pending, emitted.append)
    results.add(pending[2].ended("success", values=3))
    results.add(pending[1].ended("error", error={"error": "E", "message": "m"}))
    assert emitted == []
    results.add(pending[0].ended("success", values=1))
    assert [run.line for run in emitted] == [1, 2, 3]
    results.close()
    assert [run.status for run in emitted] == ["success", "error", "success", "pending"]
    assert results.counts == {"success": 2, "error": 1}


def test_runs_that_had_ended_before_count_too() -> None:
    emitted: list[Result] = []
    first, second = runs(2)
    results = Results([first.ended("success", values=1), second], emitted.append)
    assert [run.line for run in emitted] == [1]
    results.add(second.ended("paused", values={}))
    assert [run.status for run in emitted] == ["success", "paused"]


def test_lines_round_trip_exactly() -> None:
    (run,) = runs(1)
    values = {"big": 10**40, "text": "é\u2028\ud800", "none": None, "list": [1.5, True]}
    line = run.ended("success", values=values).to_json()
    assert b"\n" not in line
    assert Result.from_json(json.loads(line)).values == values


def test_keys_by_status() -> None:
    (run,) = runs(1)
    keys = {"line", "run_id", "thread_id", "status"}
    assert json.loads(run.to_json()).keys() == keys
    assert json.loads(run.ended("success", values=None).to_json()).keys() == keys | {"values"}
    assert json.loads(run.ended("paused", values={}).to_json()).keys() == keys | {"values"}
    assert json.loads(run.ended("error", error={}).to_json()).keys() == keys | {"error"}
