"""Scenarios of size: memory after many runs, and a queue of a million."""

from __future__ import annotations

import asyncio
import time

import orjson

from scripts.bench_suite.effort import Effort
from scripts.bench_suite.interactive import wait_request
from scripts.bench_suite.load import checked, finish, latencies, percentile, run
from scripts.bench_suite.rates import Figures
from scripts.bench_suite.servers import Memory, Server

_FAR_FUTURE = 30 * 24 * 3600


async def memory(server: Server, effort: Effort) -> Figures:
    """All processes, at the start, after many runs, and after still more: it must not grow."""
    idle = await _weigh(server)
    await finish(server, "noop", effort.memory_runs)
    loaded = await _weigh(server)
    figures = {
        "memory_idle": idle.pss,
        "memory_runs": loaded.pss,
        "memory_rss": loaded.rss,
        "memory_processes": loaded.processes,
        "memory_worker": loaded.largest_child,
    }
    if effort.memory_more_runs:
        await finish(server, "noop", effort.memory_more_runs)
        later = await _weigh(server)
        figures["memory_more"] = later.pss
        figures["memory_growth"] = later.pss / loaded.pss
    return figures


async def million(server: Server, effort: Effort) -> Figures:
    """/runs/wait before and after the queue has been filled with runs that are due in a month.

    Runs that are not due yet are what a queue holds by the million; ready ones are executed. The rate of 8
    clients stands for claims, the latency of one client for an interactive run. Then that latency again
    while a batch of ready runs is executed with the queue still full.
    """
    if not effort.pending:
        return {}
    figures: Figures = {}
    await _interactive(server, effort, figures, "empty")
    connection = server.connect()
    size = min(10_000, effort.pending)
    request = connection.request("POST", "/runs/batch", orjson.dumps([run("noop", after_seconds=_FAR_FUTURE)] * size))
    taken: list[float] = []
    begin = time.perf_counter()
    while len(taken) * size < effort.pending and time.perf_counter() - begin < effort.pending_seconds:
        start = time.perf_counter()
        # The answer of a batch is large and not looked at: it does not have to be kept.
        checked(await connection.send(request, lambda chunk, now: None), f"a batch of {size}")
        taken.append(time.perf_counter() - start)
    figures["full_pending"] = len(taken) * size
    figures["full_accept_first"] = size / percentile(taken[:10], 0.5)
    figures["full_accept_last"] = size / percentile(taken[-10:], 0.5)
    figures["full_bytes"] = server.data_size() / figures["full_pending"]
    await _interactive(server, effort, figures, "full")
    figures["full_latency_ratio"] = figures["full_p50"] / figures["empty_p50"]
    figures["full_claim_ratio"] = figures["empty_rate"] / figures["full_rate"]
    ready = connection.request("POST", "/runs/batch", orjson.dumps([run("noop")] * size))
    checked(await connection.send(ready, lambda chunk, now: None), f"a batch of {size}")
    behind, _ = await latencies(
        server, wait_request, count=effort.behind_waits, clients=1, seconds=effort.request_seconds
    )
    figures["full_behind_worst"] = max(behind) * 1e3
    figures["full_memory"] = server.memory().pss
    connection.close()
    return figures


async def _interactive(server: Server, effort: Effort, figures: Figures, name: str) -> None:
    limits = {"seconds": effort.request_seconds}
    await latencies(server, wait_request, count=20, clients=1, **limits)
    one, _ = await latencies(server, wait_request, count=effort.waits_one, clients=1, **limits)
    _, rate = await latencies(server, wait_request, count=effort.waits_many, clients=8, **limits)
    figures[f"{name}_p50"] = percentile(one, 0.5) * 1e3
    figures[f"{name}_p99"] = percentile(one, 0.99) * 1e3
    figures[f"{name}_rate"] = rate


async def _weigh(server: Server) -> Memory:
    await asyncio.sleep(1.0)  # let queues and garbage settle
    return server.memory()
