"""The floor: the benchmark's graphs in one bare process, with LangGraph's in-memory checkpointer.

No server can be faster than what it calls. Runs as a process of its own (python -m scripts.bench_suite.floor
SCENARIO SIZE...), so that nothing of the benchmark's client is in it, and prints its figures as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from scripts.bench_suite.effort import FULL, QUICK, Effort
from scripts.bench_suite.load import percentile
from scripts.bench_suite.servers import PROJECT

_AT_ONCE = 64  # as one Runyard worker does by default; those that only sleep all go at once


def _config() -> dict[str, Any]:
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


async def _finish(graph: Any, runs: int, at_once: int = _AT_ONCE) -> float:
    left = iter(range(runs))

    async def worker() -> None:
        for _ in left:
            await graph.ainvoke({"n": 0}, _config())

    begin = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return runs / (time.perf_counter() - begin)


async def _rate(name: str, runs: int, repeat: int, at_once: int = _AT_ONCE) -> float:
    await _finish(_graph(name), 100)  # warm up
    # A new graph each time: a saver that has grown is slower.
    return statistics.median([await _finish(_graph(name), runs, at_once) for _ in range(repeat)])


async def _noop(effort: Effort) -> dict[str, float]:
    return dict.fromkeys(("noop_rate", "noop_kept_rate"), await _rate("noop", effort.noop_runs, effort.repeat))


async def _one_worker(effort: Effort) -> dict[str, float]:
    rate = await _rate("noop", effort.noop_runs, effort.repeat)
    return dict.fromkeys(("one_worker_rate", "one_worker_kept_rate"), rate)


async def _chain(effort: Effort) -> dict[str, float]:
    return {"chain_rate": await _rate("chain", effort.chain_runs, effort.repeat)}


async def _sleep(effort: Effort) -> dict[str, float]:
    return {"sleep_rate": await _rate("sleep", effort.sleep_runs, effort.repeat, effort.sleep_runs)}


async def _wait(effort: Effort) -> dict[str, float]:
    graph = _graph("noop")
    taken = []
    for _ in range(effort.waits_one):
        start = time.perf_counter()
        await graph.ainvoke({"n": 0}, _config())
        taken.append(time.perf_counter() - start)
    rate = await _finish(graph, effort.waits_many)
    return {
        "wait_1_p50": percentile(taken, 0.5) * 1e3,
        "wait_1_p99": percentile(taken, 0.99) * 1e3,
        "wait_32_rate": rate,
    }


async def _stream(effort: Effort) -> dict[str, float]:
    firsts = []
    for _ in range(effort.first_events):
        start = time.perf_counter()
        events = _graph("noop").astream({"n": 0}, _config(), stream_mode="values")
        async with contextlib.aclosing(events):
            async for _event in events:
                firsts.append(time.perf_counter() - start)
                break
    return {
        "stream_first": percentile(firsts, 0.5) * 1e3,
        "stream_first_own": percentile(firsts, 0.5) * 1e3,
        "stream_events": await _events("flood", "custom", effort.flood_events),
        "stream_tokens": await _events("tokens", "messages", effort.tokens),
    }


async def _events(name: str, mode: str, n: int) -> float:
    begin = None
    async for _event in _graph(name).astream({"n": n}, _config(), stream_mode=mode):
        begin = begin or time.perf_counter()
    assert begin is not None
    return n / (time.perf_counter() - begin)


def _graph(name: str) -> Any:
    if str(PROJECT) not in sys.path:
        sys.path.insert(0, str(PROJECT))
    graph = getattr(importlib.import_module("graphs"), name)
    return graph.copy(update={"checkpointer": InMemorySaver()})


FLOORS: dict[str, Callable[[Effort], Coroutine[Any, Any, dict[str, float]]]] = {
    "noop": _noop,
    "one-worker": _one_worker,
    "chain": _chain,
    "sleep": _sleep,
    "wait": _wait,
    "stream": _stream,
}
"""The scenarios that have a floor."""


async def measure(name: str, *, quick: bool) -> dict[str, float]:
    """Run one scenario's floor in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.bench_suite.floor", name, "quick" if quick else "full",
        stdout=asyncio.subprocess.PIPE, cwd=PROJECT.parent.parent,
    )  # fmt: skip
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"the floor of {name} failed with code {process.returncode}")
    figures: dict[str, float] = json.loads(output)
    return figures


def _main() -> None:
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    name, effort = sys.argv[1:]
    print(json.dumps(asyncio.run(FLOORS[name](QUICK if effort == "quick" else FULL))))


if __name__ == "__main__":
    _main()
