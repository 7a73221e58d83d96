"""Scenarios of throughput: how fast runs are accepted and finished."""

from __future__ import annotations

import secrets
import statistics
import time

import orjson

from scripts.bench_suite.effort import Effort
from scripts.bench_suite.load import checked, ended, finish, latencies, run
from scripts.bench_suite.servers import Server

Figures = dict[str, float]


async def ok(server: Server, effort: Effort) -> Figures:
    """GET /ok from 16 connections."""
    _, rate = await latencies(
        server, lambda c: c.request("GET", "/ok"), count=10**9, clients=16, seconds=effort.ok_seconds
    )
    return {"ok_rate": rate}


async def accept(server: Server, effort: Effort) -> Figures:
    """Batches of several sizes onto an idle server; the runs begin to execute meanwhile."""
    figures = {}
    for size, posts in effort.accept_posts:
        alone = size >= 1_000  # large ones each get the idle server to themselves
        mark = secrets.token_hex(8)
        connection = server.connect()
        body = orjson.dumps([run("noop", metadata={"bench": mark})] * size)
        request = connection.request("POST", "/runs/batch", body)
        taken = []
        begin = time.perf_counter()
        for number in range(posts):
            start = time.perf_counter()
            checked(await connection.send(request), f"a batch of {size}")
            taken.append(time.perf_counter() - start)
            if alone:
                await ended(server, mark, start, (number + 1) * size)
        figures[f"accept_{size}"] = size / (statistics.median(taken) if alone else statistics.mean(taken))
        await ended(server, mark, begin, posts * size)
        connection.close()
    return figures


async def noop(server: Server, effort: Effort) -> Figures:
    """One-node runs, submitted in batches of 1,000; finished ones per second, submission included."""
    await finish(server, "noop", 200)  # warm up
    deleted = [await finish(server, "noop", effort.noop_runs) for _ in range(effort.repeat)]
    kept = await finish(server, "noop", effort.noop_runs, keep=True)
    return {
        "noop_rate": effort.noop_runs / statistics.median(deleted),
        "noop_kept_rate": effort.noop_runs / kept,
    }


async def one_worker(server: Server, effort: Effort) -> Figures:
    """The same on a server with one worker."""
    figures = await noop(server, effort)
    return {"one_worker_rate": figures["noop_rate"], "one_worker_kept_rate": figures["noop_kept_rate"]}


async def chain(server: Server, effort: Effort) -> Figures:
    """Ten nodes in a row."""
    taken = [await finish(server, "chain", effort.chain_runs) for _ in range(effort.repeat)]
    return {"chain_rate": effort.chain_runs / statistics.median(taken)}


async def sleep(server: Server, effort: Effort) -> Figures:
    """Runs that wait 0.1 s: many of them must be under way at once."""
    taken = [await finish(server, "sleep", effort.sleep_runs) for _ in range(effort.repeat)]
    return {"sleep_rate": effort.sleep_runs / statistics.median(taken)}
