"""What a claim takes with an empty queue and behind very many delayed runs, straight on storage."""

from __future__ import annotations

import contextlib
import time
import uuid

import psycopg

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import FinishRequest, Lease
from runyard.runtime.storage.port.runs import Lane, NewRun
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from scripts.bench_suite import databases
from scripts.bench_suite.effort import Effort
from scripts.bench_suite.load import percentile
from scripts.bench_suite.rates import Figures

AT_ONCE = 16
DELAYED = """
insert into runs (run_id, thread_id, assistant_id, graph_id, status, queue, lane, due, strategy, temporary, resumable,
                  watching, metadata, kwargs, created_at, updated_at)
select 'r' || n, 't' || n, 'a', 'noop', 'pending', 'delayed', 2, clock_micros() + 2592000000000 + n, 'enqueue', true,
       false, 0, '{}', '{}', clock_micros(), clock_micros()
from generate_series(1, %s) as n
"""


async def claims(server: str, effort: Effort) -> Figures:
    """Claims of 16 runs, by turns with an empty queue and behind very many that are due in a month."""
    taken: dict[str, list[float]] = {"empty": [], "full": []}
    with contextlib.ExitStack() as stack:
        storages = {}
        for name in taken:
            database = stack.enter_context(databases.fresh(server))
            storages[name] = PostgresStorage(Target.parse(database))
            storages[name].open(maintain=True)
            stack.callback(storages[name].close)
            if name == "full":
                with psycopg.connect(database) as connection:
                    connection.execute(DELAYED, (effort.pending,))
        for _ in range(effort.claims):
            for name, storage in storages.items():
                taken[name].append(await _claim(storage))
    figures = {f"claim_{name}_p99": percentile(values, 0.99) * 1e3 for name, values in taken.items()}
    return figures | {"claim_times": figures["claim_full_p99"] / figures["claim_empty_p99"]}


async def _claim(storage: PostgresStorage) -> float:
    await storage.runs.insert(Scope.everything(), [_run() for _ in range(AT_ONCE)])
    begin = time.perf_counter()
    leased = await storage.queue.claim("bench", limit=AT_ONCE, interactive=AT_ONCE)
    seconds = time.perf_counter() - begin
    assert len(leased) == AT_ONCE
    for each in leased:
        await storage.queue.finish(_success(each.lease))
    return seconds


def _run() -> NewRun:
    return NewRun(
        run_id=str(uuid.uuid4()),
        thread_id=str(uuid.uuid4()),
        assistant_id="a",
        graph_id="noop",
        lane=Lane.SINGLE,
        delay=0.0,
        strategy="enqueue",
        metadata={},
        kwargs={"input": {"n": 0}, "config": {"configurable": {}}, "webhook": None},
        thread_metadata={},
        temporary=True,
    )


def _success(lease: Lease) -> FinishRequest:
    return FinishRequest(
        lease=lease,
        status="success",
        answer=b"{}",
        values=b"{}",
        interrupts=b"{}",
        error=None,
        paused=False,
        temporary=True,
        spilled=False,
    )
