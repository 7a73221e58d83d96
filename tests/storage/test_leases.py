"""Workers that live by leases: on whichever machine, with whoever looks on."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.workers import Machine, ReapResult
from runyard.runtime.storage.postgres.database.connection import lock_of

from .builders import claim, finish_request, insert, insert_batch, run_status, stateless
from .leases import LONG, go_on, until_dead
from .postgres_handles import Handle
from .postgres_server import address, schema_of


async def test_a_worker_that_renews_nothing_is_dead_after_its_lease(server: Handle) -> None:
    one, other = server(), server()
    one.workers.register("worker")
    await until_dead(other, "worker")
    go_on(one)
    new_run = await insert(one, stateless())
    await claim(one, "worker", new_run)
    await one.workers.heartbeat("worker", [], claiming=True)
    assert "worker" in await other.workers.alive(), "it goes on, and says so"


async def test_the_runs_of_a_worker_that_has_renewed_its_lease_are_not_taken_back(server: Handle) -> None:
    one, other = server(), server()
    new_run = await insert(one, stateless())
    lease = (await claim(one, "worker", new_run)).lease
    one.workers.register("worker")
    await until_dead(other, "worker")
    go_on(one)
    await one.workers.heartbeat("worker", [lease])
    reaped = await other.workers.reap("worker", max_attempts=3, unless_alive=True)
    assert reaped.requeued == 0
    assert await run_status(one, new_run) == "running"
    await one.queue.finish(finish_request(lease))


async def test_a_claim_is_as_good_as_a_heartbeat(server: Handle) -> None:
    one, other = server(lease=LONG), server(lease=LONG)
    new_run = await insert(one, stateless())
    await claim(one, "worker", new_run)  # it was stopped, is forgotten, and goes on
    assert (await other.workers.reap("worker", max_attempts=3, unless_alive=True)).requeued == 0
    assert await run_status(one, new_run) == "running"


@pytest.mark.parametrize("held_up", ["lease", "thread"])
async def test_a_claim_counts_that_is_made_while_its_worker_is_taken_for_dead(
    server: Handle, tmp_path: Path, held_up: str
) -> None:
    """Two servers find the same worker dead. The second waits for the first, and the worker claims meanwhile what that
    has taken back."""
    one, other = server(), server()
    new_run = await insert(one, stateless())
    await claim(one, "worker", new_run)
    one.workers.register("worker")
    await until_dead(other, "worker")
    schema = schema_of(tmp_path)
    with psycopg.connect(address()) as first:
        if held_up == "lease":
            first.execute(f"select 1 from {schema}.worker_leases for update")
        else:
            first.execute("select pg_advisory_xact_lock(%s)", (lock_of(new_run.thread_id),))
        second = asyncio.create_task(other.workers.reap("worker", max_attempts=3, unless_alive=True))
        await until_blocked_by(first)
        first.execute(
            f"update {schema}.runs set attempt = attempt + 1, token = token + 1, claimed_at = {schema}.clock_micros()"
        )
    assert await second == ReapResult(0, [], 0, 0, webhook=False)
    assert await run_status(one, new_run) == "running"


LOCKS = {"table": "lock table {schema}.runs in share mode", "counts": "select 1 from {schema}.batch_counts for update"}


@pytest.mark.parametrize("lane", [Lane.BATCH, Lane.SOLO])
@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
async def test_a_claim_is_as_old_as_what_it_holds_however_long_it_waited(
    server: Handle, tmp_path: Path, lane: Lane, lock: str
) -> None:
    """Who takes runs back goes by its time."""
    one, schema = server(), schema_of(tmp_path)
    new_run = stateless(lane=Lane.BATCH)
    await insert_batch(one, new_run)
    if lane == Lane.SOLO:
        await claim(one, "crashed", new_run)
        assert (await one.workers.reap("crashed", max_attempts=2)).solo == 1
    with psycopg.connect(address()) as outsider:
        outsider.execute(lock.format(schema=schema))
        claiming = asyncio.create_task(one.queue.claim("worker", limit=1, interactive=1, solo=lane == Lane.SOLO))
        await until_blocked_by(outsider)
        before = outsider.execute(f"select {schema}.clock_micros()").fetchone()
    (leased,) = await claiming
    assert leased.lease.run_id == new_run.run_id
    with psycopg.connect(address()) as looking:
        claimed = looking.execute(f"select claimed_at from {schema}.runs").fetchone()
    assert claimed is not None
    assert before is not None
    assert claimed >= before


async def until_blocked_by(connection: psycopg.Connection[Any]) -> None:
    """Waits until somebody waits for what the transaction of that connection has locked."""
    query, pid = "select 1 from pg_stat_activity where %s = any(pg_blocking_pids(pid))", connection.info.backend_pid
    async with await psycopg.AsyncConnection.connect(address(), autocommit=True) as looking, asyncio.timeout(LONG):
        while await (await looking.execute(query, (pid,))).fetchone() is None:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)


async def test_a_worker_that_was_stopped_beyond_its_lease_learns_it_and_is_a_worker_again(server: Handle) -> None:
    one, other = server(), server()
    new_run = await insert(one, stateless())
    lease = (await claim(one, "worker", new_run)).lease
    one.workers.register("worker")
    await until_dead(other, "worker")
    assert (await other.workers.reap("worker", max_attempts=3, unless_alive=True)).requeued == 1
    with pytest.raises(LeaseLost):
        await one.queue.finish(finish_request(lease))
    go_on(one)
    assert (await one.workers.heartbeat("worker", [lease])).lost == [lease.seq]
    assert "worker" in await other.workers.alive()
    await claim(one, "worker", new_run)
    assert await run_status(other, new_run) == "running"


async def claimed_call(storage: Storage) -> tuple[str, str]:
    """The run whose webhook call this server has claimed for ten minutes, and the name that others know the server
    by."""
    new_run = await insert(storage, stateless(webhook="https://hooks.example/end"))
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    (delivery,) = await storage.deliveries.claim(10, 600.0)
    assert delivery.run_id == new_run.run_id
    (sender,) = (known.worker for known in await storage.workers.known() if known.worker != "worker")
    return new_run.run_id, sender


async def test_webhook_calls_of_a_killed_server_are_made_by_others_after_its_lease(server: Handle) -> None:
    one, other = server(), server()
    run_id, sender = await claimed_call(one)
    assert sender in await other.workers.alive()
    await until_dead(other, sender)
    assert (await other.workers.reap(sender, max_attempts=3, unless_alive=True)).webhook
    (delivery,) = await other.deliveries.claim(10, 600.0)
    assert (delivery.run_id, delivery.attempt) == (run_id, 2)


async def test_webhook_calls_of_a_server_that_lives_are_left_to_it(server: Handle) -> None:
    one, other = server(), server()
    _, sender = await claimed_call(one)
    await until_dead(other, sender)
    go_on(one)
    await one.workers.alive()  # it was stopped, and goes on
    assert not (await other.workers.reap(sender, max_attempts=3, unless_alive=True)).webhook
    assert sender in await other.workers.alive()
    assert await other.deliveries.claim(10, 600.0) == []


async def test_webhook_calls_of_a_server_that_has_ended_are_made_at_once(server: Handle) -> None:
    one, other = server(lease=LONG), server(lease=LONG)
    _, sender = await claimed_call(one)
    one.close()
    assert sender not in await other.workers.alive()
    assert (await other.workers.reap(sender, max_attempts=3, unless_alive=True)).webhook
    assert len(await other.deliveries.claim(10, 600.0)) == 1


async def test_nobody_is_dead_for_who_has_not_looked_on(server: Handle) -> None:
    one, watching = server(), server()
    one.workers.register("worker")
    await until_dead(watching, "worker")
    assert "worker" in await server().workers.alive()


async def test_machines_are_those_whose_processes_live(server: Handle) -> None:
    one, other = server(lease=LONG), server(lease=LONG)
    assert await one.workers.machines() == []
    await other.workers.alive()
    one.workers.register("first", server=1)
    one.workers.register("second", server=os.getpid())
    assert await other.workers.machines() == [Machine(socket.gethostname(), 2, 2)]


async def test_a_server_that_ends_is_gone_at_once_with_its_workers(server: Handle) -> None:
    one, other = server(lease=LONG), server(lease=LONG)
    one.workers.register("worker")
    await one.workers.alive()  # says that the server lives, too
    (machine,) = await other.workers.machines()
    assert (machine.servers, machine.workers) == (1, 1)
    await asyncio.to_thread(one.close)
    assert await other.workers.machines() == []
    assert "worker" not in await other.workers.alive()
