"""Load that the scenarios share: batches and waiting for their end, series of requests, percentiles."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

from scripts.bench_suite.client import Answer, Connection
from scripts.bench_suite.servers import Server


class Refused(RuntimeError):
    """The server answered a request of the benchmark with an error."""


def run(graph: str, n: int = 0, **fields: Any) -> dict[str, Any]:
    """The payload of one stateless run."""
    return {"assistant_id": graph, "input": {"n": n}, **fields}


def checked(answer: Answer, what: str) -> Answer:
    if answer.status not in (200, 204):
        raise Refused(f"{what} was answered with {answer.status}: {answer.body[:300].decode(errors='replace')}")
    return answer


async def finish(server: Server, graph: str, runs: int, *, keep: bool = False, batch: int = 1_000) -> float:
    """Submit `runs` runs in batches and wait until all have ended; returns the seconds from first to last."""
    mark = secrets.token_hex(8)
    connection = server.connect()
    begin = time.perf_counter()
    for start in range(0, runs, batch):
        await submit(connection, graph, min(batch, runs - start), mark, keep=keep)
    await ended(server, mark, begin, runs, keep=keep)
    seconds = time.perf_counter() - begin
    connection.close()
    return seconds


async def submit(connection: Connection, graph: str, runs: int, mark: str, *, keep: bool = False) -> None:
    """One batch; `mark` goes into the runs' metadata, so that `ended` can count them."""
    payload = run(graph, metadata={"bench": mark}, on_completion="keep" if keep else "delete")
    checked(await connection.post("/runs/batch", [payload] * runs), f"a batch of {runs}")


async def ended(server: Server, mark: str, begin: float, runs: int, *, keep: bool = False) -> None:
    """Wait until no run with this mark is left to do.

    A run with on_completion delete has ended when its thread is gone, a kept one when its thread is not
    busy. Asks seldom while much is left and every 5 ms at the end, so that asking costs next to nothing.
    """
    connection = server.connect()
    wanted: dict[str, Any] = {"metadata": {"bench": mark}}
    if keep:
        wanted["status"] = "idle"
    while True:
        server.check()
        count = int(checked(await connection.post("/threads/count", wanted), "counting threads").body)
        done = count if keep else runs - count
        if done >= runs:
            break
        elapsed = time.perf_counter() - begin
        remaining = elapsed * (runs - done) / max(done, 1)
        await asyncio.sleep(min(0.25, max(0.005, remaining / 3)))
    connection.close()


async def latencies(
    server: Server, request: Callable[[Connection], bytes], *, count: int, clients: int, seconds: float
) -> tuple[list[float], float]:
    """Send a request `count` times from `clients` clients; returns each one's seconds, and requests/s.

    Ends early after `seconds`, but not before each client has had one answer.
    """
    taken: list[float] = []
    connections = [server.connect() for _ in range(clients)]
    left = iter(range(count))
    begin = time.perf_counter()

    async def client(connection: Connection) -> None:
        content = request(connection)
        for _ in left:
            start = time.perf_counter()
            checked(await connection.send(content), "a request")
            taken.append(time.perf_counter() - start)
            if time.perf_counter() - begin > seconds:
                return

    await asyncio.gather(*(client(connection) for connection in connections))
    rate = len(taken) / (time.perf_counter() - begin)
    for connection in connections:
        connection.close()
    return taken, rate


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
