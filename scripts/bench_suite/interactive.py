"""Scenarios of latency: waiting for a run, watching its stream, with an idle server and under load."""

from __future__ import annotations

import asyncio
import secrets
import time

import orjson

from scripts.bench_suite.client import Broken, Connection, Events
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.load import Refused, ended, latencies, percentile, run, submit
from scripts.bench_suite.rates import Figures
from scripts.bench_suite.servers import Server


def wait_request(connection: Connection) -> bytes:
    return connection.request("POST", "/runs/wait", orjson.dumps(run("noop")))


async def wait(server: Server, effort: Effort) -> Figures:
    """/runs/wait of a one-node run, one client, then 32."""
    limits = {"seconds": effort.request_seconds}
    await latencies(server, wait_request, count=10, clients=1, **limits)  # warm up
    one, _ = await latencies(server, wait_request, count=effort.waits_one, clients=1, **limits)
    many, rate = await latencies(server, wait_request, count=effort.waits_many, clients=32, **limits)
    return {
        "wait_1_p50": percentile(one, 0.5) * 1e3,
        "wait_1_p99": percentile(one, 0.99) * 1e3,
        "wait_32_rate": rate,
        "wait_32_p50": percentile(many, 0.5) * 1e3,
        "wait_32_p99": percentile(many, 0.99) * 1e3,
    }


async def watch(connection: Connection, graph: str, n: int, mode: str) -> tuple[float, Events]:
    """Run a graph by /runs/stream to its end; returns when it was sent, and what came."""
    body = orjson.dumps(run(graph, n, stream_mode=mode))
    events = Events()
    start = time.perf_counter()
    answer = await connection.send(connection.request("POST", "/runs/stream", body), events)
    if answer.status != 200 or events.first is None or b"error" in events.counts:
        raise Refused(f"a stream of {graph} answered {answer.status} with events {events.counts}")
    return start, events


async def stream(server: Server, effort: Effort) -> Figures:
    """Single streams: the first event, and the rate of events that a graph emits as fast as it can."""
    connection = server.connect()
    firsts, own = [], []
    begin = time.perf_counter()
    for _ in range(effort.first_events):
        start, events = await watch(connection, "noop", 0, "values")
        assert events.first is not None
        assert events.first_own is not None
        firsts.append(events.first - start)
        own.append(events.first_own - start)
        if time.perf_counter() - begin > effort.request_seconds:
            break
    rates = {}
    for graph, mode, name, n in (
        ("flood", "custom", b"custom", effort.flood_events),
        ("tokens", "messages-tuple", b"messages", effort.tokens),
    ):
        _, events = await watch(connection, graph, n, mode)
        assert events.first is not None
        if events.counts.get(name, 0) < n - 1:
            raise Refused(f"{n} events were emitted, but these came: {events.counts}")
        rates[graph] = n / (events.last - events.first)
    connection.close()
    return {
        "stream_first": percentile(firsts, 0.5) * 1e3,
        "stream_first_own": percentile(own, 0.5) * 1e3,
        "stream_events": rates["flood"],
        "stream_tokens": rates["tokens"],
    }


async def streams(server: Server, effort: Effort) -> Figures:
    """Many streams of one second each, all at once."""
    connections = [server.connect() for _ in range(effort.streams)]
    begin = time.perf_counter()
    results = await asyncio.gather(
        *(watch(connection, "second", 0, "custom") for connection in connections), return_exceptions=True
    )
    seconds = time.perf_counter() - begin
    complete, firsts = 0, []
    for result in results:
        if isinstance(result, Refused | Broken | OSError):
            continue
        if isinstance(result, BaseException):
            raise result
        start, events = result
        complete += events.counts.get(b"custom") == 10
        assert events.first_own is not None
        firsts.append(events.first_own - start)
    for connection in connections:
        connection.close()
    if not firsts:
        raise Refused(f"none of {effort.streams} streams was answered: {results[0]!r}")
    return {
        "streams_complete": complete / effort.streams * 100,
        "streams_first_p50": percentile(firsts, 0.5),
        "streams_first_p99": percentile(firsts, 0.99),
        "streams_seconds": seconds,
    }


async def behind(server: Server, effort: Effort) -> Figures:
    """/runs/wait, one after the other, right after a large batch has been accepted."""
    mark = secrets.token_hex(8)
    connection = server.connect()
    begin = time.perf_counter()
    await submit(connection, "noop", effort.behind_runs, mark)
    taken, _ = await latencies(
        server, wait_request, count=effort.behind_waits, clients=1, seconds=effort.request_seconds
    )
    await ended(server, mark, begin, effort.behind_runs)
    connection.close()
    return {"behind_p50": percentile(taken, 0.5) * 1e3, "behind_worst": max(taken) * 1e3}
