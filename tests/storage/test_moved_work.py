"""Runs, batches and events that were moved go on where they were."""

from __future__ import annotations

from pathlib import Path

from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .builders import claim, claim_all, finish_request, insert, ref, run_status, stateless
from .moving import ANY, HOOK, change, into_postgres, make_directory, select


async def test_runs_that_were_running_are_tried_again_without_blame(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    source = SqliteStorage(tmp_path / "before" / "runyard.db")
    source.open(maintain=False)
    new_run = await insert(source, stateless())
    stopped = await insert(source, stateless(webhook=HOOK))
    await claim_all(source, "of another machine")
    await source.runs.cancel(ANY, [ref(stopped)], "interrupt")
    source.close()
    assert (await into_postgres(tmp_path / "before", schema)).given_back == 2
    postgres.open(maintain=False)
    assert await run_status(postgres, new_run) == "pending"
    assert await run_status(postgres, stopped) == "interrupted"
    assert await postgres.deliveries.next_due() == 0.0
    assert await postgres.workers.known() == []
    leased = await claim(postgres, "worker", new_run)
    assert select(schema, "select crashes, lane from runs where queue = 'running'") == [(0, Lane.SINGLE)]
    await postgres.queue.finish(finish_request(leased.lease))


async def test_a_batch_runs_on_and_its_results_are_counted_once(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    known = await make_directory(tmp_path / "before")
    await into_postgres(tmp_path / "before", schema)
    postgres.open(maintain=False, encrypted=True)
    pending = {item.run_id for item in known.pending}
    while leased := await claim_all(postgres):
        for each in leased:
            await postgres.queue.finish(finish_request(each.lease, temporary=each.lease.run_id in pending))
    batch = await postgres.batches.get(ANY, known.batch.batch_id)
    assert batch is not None
    assert batch.ended_at is not None
    counts = batch.counts
    assert (counts.pending, counts.running, counts.success, counts.error) == (0, 0, 4, 1)
    results = await postgres.results.by_index(ANY, known.batch.batch_id, -1, upto=None, statuses=(), size=2**20)
    assert [(result.index, result.status) for result in results] == [
        (0, "success"),
        (1, "success"),
        (2, "error"),
        (3, "success"),
        (4, "success"),
    ]


async def test_events_go_on_behind_the_number_that_a_client_has(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    known = await make_directory(tmp_path / "before")
    await into_postgres(tmp_path / "before", schema)
    postgres.open(maintain=False, encrypted=True)
    thread_id = known.resumable.thread_id
    chunks = await postgres.events.read(known.resumable.run_id, 3, size=1000)
    assert [(chunk.first, chunk.last, chunk.data) for chunk in chunks] == [(4, 5, b"\x00\xff")]
    last = await postgres.events.last_of_thread(thread_id)
    later = next(each for each in await claim_all(postgres) if each.lease.thread_id == thread_id)
    await postgres.queue.finish(finish_request(later.lease))
    assert await postgres.events.last_of_thread(thread_id) == last + 1


async def test_numbers_that_were_given_are_not_given_again(
    tmp_path: Path, schema: str, postgres: PostgresStorage
) -> None:
    source = SqliteStorage(tmp_path / "before" / "runyard.db")
    source.open(maintain=False)
    runs = [await insert(source, stateless()) for _ in range(3)]
    await source.runs.delete(ANY, runs[2].thread_id, runs[2].run_id)
    source.close()
    await into_postgres(tmp_path / "before", schema)
    postgres.open(maintain=False)
    await insert(postgres, stateless())
    assert select(schema, "select seq from runs order by seq") == [(1,), (2,), (4,)]


async def test_delays_are_as_long_by_the_clock_of_the_target(tmp_path: Path, schema: str) -> None:
    source = SqliteStorage(tmp_path / "before" / "runyard.db")
    source.open(maintain=False)
    await insert(source, stateless(delay=3600.0))
    source.close()
    change(tmp_path / "before", "update clock set ahead = ahead + 7200000000")  # the time of day was set back
    change(tmp_path / "before", "update runs set due = due + 7200000000")
    await into_postgres(tmp_path / "before", schema)
    ((seconds,),) = select(schema, "select (due - clock_micros()) / 1000000 from runs")
    assert isinstance(seconds, int)
    assert 3000 < seconds <= 3600
