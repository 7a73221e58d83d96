"""A stream that is read from another server than the one whose worker emits it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import orjson

from scripts.bench_suite import servers
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.load import checked, percentile, run
from scripts.bench_suite.rates import Figures

_TIME = re.compile(rb'"at":([0-9.]+)')


async def stream(database: str, effort: Effort, base: Path | None) -> Figures:
    """10,000 events a second of one run, asked for on another server of the same database."""
    async with (
        servers.runyard(base, 1, database=database) as emitting,
        servers.runyard(base, None, database=database, role="api") as following,
    ):
        connection = emitting.connect()
        checked(await connection.post("/runs/wait", run("noop")), "a run")  # its worker is there
        connection.close()
        chunks: list[tuple[float, bytes]] = []
        reader = following.connect()
        body = orjson.dumps(run("paced", effort.paced_events, stream_mode="custom"))
        request = reader.request("POST", "/runs/stream", body)
        checked(await reader.send(request, lambda chunk, now: chunks.append((time.time(), chunk))), "a stream")
        reader.close()
    late = _lateness(chunks)
    return {
        "across_complete": len(late) / effort.paced_events * 100,
        "across_p50": percentile(late, 0.5) * 1e3,
        "across_p99": percentile(late, 0.99) * 1e3,
    }


def _lateness(chunks: list[tuple[float, bytes]]) -> list[float]:
    """Seconds from each event to the arrival of its last byte. An event may be cut between two chunks."""
    late: list[float] = []
    rest = b""
    for arrived, chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        late += [arrived - float(found[1]) for line in lines if (found := _TIME.search(line)) is not None]
    return late
