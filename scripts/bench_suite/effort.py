"""How much is measured: the sizes of all scenarios in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Sizes of the scenarios; the defaults are the full benchmark.

    repeat: how often a rate is measured (the median counts). request_seconds: the most time for one
    series of requests, which then ends early. pending: runs in the queue of the scenario "million", and of the
    claims on Postgres. capacity_rate: runs, and reads, a second.
    """

    repeat: int = 3
    ok_seconds: float = 3.0
    accept_posts: tuple[tuple[int, int], ...] = (
        (1, 200),
        (100, 20),
        (1_000, 3),
        (10_000, 1),
    )  # (size, posts)
    noop_runs: int = 3_000
    chain_runs: int = 1_000
    sleep_runs: int = 1_000
    waits_one: int = 300
    waits_many: int = 3_200
    request_seconds: float = 20.0
    first_events: int = 50
    flood_events: int = 50_000
    tokens: int = 5_000
    streams: int = 300
    memory_runs: int = 10_000
    memory_more_runs: int = 20_000
    pending: int = 1_000_000
    pending_seconds: float = 300.0
    behind_runs: int = 10_000
    behind_waits: int = 50
    threads: int = 100_000
    items: int = 100_000
    searches: int = 50
    idle_crons: int = 10_000
    due_crons: int = 1_000
    large_batch: int = 10_000
    claims: int = 300
    paced_events: int = 50_000
    capacity_rate: int = 250
    capacity_seconds: float = 180.0


FULL = Effort()
QUICK = Effort(
    repeat=1,
    ok_seconds=1.0,
    accept_posts=((1, 50), (100, 5), (1_000, 1)),
    noop_runs=1_000,
    chain_runs=200,
    sleep_runs=500,
    waits_one=100,
    waits_many=640,
    request_seconds=5.0,
    first_events=20,
    flood_events=10_000,
    tokens=1_000,
    streams=100,
    memory_runs=2_000,
    memory_more_runs=2_000,
    pending=50_000,
    pending_seconds=60.0,
    behind_runs=2_000,
    behind_waits=20,
    threads=5_000,
    items=2_000,
    searches=20,
    idle_crons=1_000,
    due_crons=200,
    large_batch=2_000,
    claims=50,
    paced_events=10_000,
    capacity_rate=50,
    capacity_seconds=5.0,
)


def for_official(effort: Effort) -> Effort:
    """The same for a server that takes a second for one run: fewer repetitions, no million."""
    return replace(
        effort,
        repeat=1,
        waits_one=min(effort.waits_one, 15),
        waits_many=min(effort.waits_many, 640),
        first_events=min(effort.first_events, 10),
        flood_events=min(effort.flood_events, 5_000),
        tokens=min(effort.tokens, 2_000),
        memory_more_runs=0,
        behind_waits=1,
    )
