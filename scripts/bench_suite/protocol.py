"""The scenario of the thread event protocol: what a command's run tells, beside what /runs/stream does."""

from __future__ import annotations

import asyncio
import contextlib
import time

import orjson

from scripts.bench_suite.client import Broken, Connection, Events
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.interactive import watch
from scripts.bench_suite.load import Refused, percentile
from scripts.bench_suite.rates import Figures
from scripts.bench_suite.servers import Server

OPENING = 0.1
"""Seconds until a subscription is open, whose answer does not end."""


class _Told(Events):
    """A subscription's events; `ended` is set with the end of the first run. Its graph has no subgraphs."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    def __call__(self, chunk: bytes, now: float) -> None:
        super().__call__(chunk, now)
        if self.counts.get(b"lifecycle", 0) >= 2:
            self.ended.set()


async def _thread(connection: Connection) -> str:
    thread_id: str = (await connection.post("/threads", {})).json()["thread_id"]
    return thread_id


async def _start(connection: Connection, thread_id: str, graph: str, n: int) -> float:
    """Starts a run by a command; returns when that was sent."""
    start = time.perf_counter()
    command = {"id": 1, "method": "run.start", "params": {"assistant_id": graph, "input": {"n": n}}}
    answer = await connection.post(f"/threads/{thread_id}/commands", command)
    if answer.status != 200 or answer.json()["type"] != "success":
        raise Refused(f"run.start answered {answer.status}: {answer.body[:200]!r}")
    return start


async def _follow(connection: Connection, thread_id: str, channels: list[str], told: _Told) -> None:
    """Subscribes and reads on to the end of the first run."""
    path = f"/threads/{thread_id}/stream/events"
    with contextlib.suppress(Broken):  # so it ends here
        reading = asyncio.ensure_future(_read(connection, path, channels, told))
        waiting = asyncio.ensure_future(told.ended.wait())
        await asyncio.wait((reading, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        connection.close()
        await reading
    if not told.ended.is_set():
        raise Refused(f"the subscription ended before the run; these came: {told.counts}")


async def _read(connection: Connection, path: str, channels: list[str], told: _Told) -> None:
    body = orjson.dumps({"channels": channels})
    answer = await connection.send(connection.request("POST", path, body), told)
    raise Refused(f"{path} answered {answer.status} and ended")


async def _told(server: Server, graph: str, n: int, channels: list[str]) -> tuple[float, _Told]:
    commands, told = server.connect(), _Told()
    thread_id = await _thread(commands)
    following = asyncio.ensure_future(_follow(server.connect(), thread_id, channels, told))
    await asyncio.sleep(OPENING)
    start = await _start(commands, thread_id, graph, n)
    await following
    commands.close()
    return start, told


async def protocol(server: Server, effort: Effort) -> Figures:
    """The thread event protocol: the first event, the rate of events, and many subscriptions to one thread."""
    plain, firsts, streamed = server.connect(), [], []
    for _ in range(effort.first_events):
        start, told = await _told(server, "noop", 0, ["values", "lifecycle"])
        assert told.first is not None
        firsts.append(told.first - start)
        start, events = await watch(plain, "noop", 0, "values")
        assert events.first is not None
        streamed.append(events.first - start)
    n = effort.flood_events
    start, told = await _told(server, "flood", n, ["custom", "lifecycle"])
    if told.counts.get(b"custom", 0) < n:
        raise Refused(f"{n} events were emitted, but these came: {told.counts}")
    plain_start, events = await watch(plain, "flood", n, "custom")
    plain.close()
    return {
        "protocol_first": percentile(firsts, 0.5) * 1e3,
        "protocol_first_times": percentile(firsts, 0.5) / percentile(streamed, 0.5),
        # From the start, since events come in bursts.
        "protocol_events": n / (told.last - start),
        "protocol_events_share": (events.last - plain_start) / (told.last - start),
        **await _many(server, effort.streams),
    }


async def _many(server: Server, subscriptions: int) -> Figures:
    """One run of one second that as many follow."""
    commands = server.connect()
    thread_id = await _thread(commands)
    tellings = [_Told() for _ in range(subscriptions)]
    following = [
        asyncio.ensure_future(_follow(server.connect(), thread_id, ["custom", "lifecycle"], told)) for told in tellings
    ]
    await asyncio.sleep(OPENING)
    start = await _start(commands, thread_id, "second", 0)
    results = await asyncio.gather(*following, return_exceptions=True)
    commands.close()
    complete = sum(
        result is None and told.counts.get(b"custom") == 10 for result, told in zip(results, tellings, strict=True)
    )
    return {
        "protocol_complete": complete / subscriptions * 100,
        "protocol_seconds": max(told.last for told in tellings) - start,
    }
