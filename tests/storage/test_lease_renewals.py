"""What a heartbeat renews, and what it has yet to find out when others keep it from that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.workers import HeartbeatResult

from .builders import claim, insert, stateless
from .leases import LEASE, LONG, until_dead
from .postgres_handles import Handle
from .postgres_server import address, schema_of


async def test_a_lease_that_had_run_out_holds_again_when_the_worker_has_seen_its_runs(
    server: Handle, tmp_path: Path
) -> None:
    one, other = server(), server()
    new_run = await insert(one, stateless())
    lease = (await claim(one, "worker", new_run)).lease
    with contextlib.suppress(Unavailable):
        await one.workers.heartbeat("worker", [lease])
    await until_dead(other, "worker")
    assert (await other.workers.reap("worker", max_attempts=3, unless_alive=True)).requeued == 1
    with psycopg.connect(address()) as outsider:
        outsider.execute(f"lock table {schema_of(tmp_path)}.runs in access exclusive mode")
        with pytest.raises(Unavailable, match="could not be seen in time"):
            await one.workers.heartbeat("worker", [lease])
    assert ends(one) <= seconds_since_boot(), "others have its run, and it does not know"
    ran_out = ends(one)
    assert (await until_heard(one, [lease])).lost == [lease.seq]
    assert ends(one) > ran_out


def ends(storage: Storage) -> float:
    moment = storage.workers.lease_ends("worker")
    assert moment is not None
    return moment


async def until_heard(storage: Storage, held: Sequence[Lease]) -> HeartbeatResult:
    """Beats until that gets through: short leases leave little time for it."""
    async with asyncio.timeout(LONG):
        while True:
            with contextlib.suppress(Unavailable):
                return await storage.workers.heartbeat("worker", held)


async def test_what_is_locked_elsewhere_keeps_nobody_from_renewing_a_lease(server: Handle, tmp_path: Path) -> None:
    one = server()
    one.workers.register("worker")
    before = one.workers.lease_ends("worker")
    with psycopg.connect(address()) as outsider:
        outsider.execute(f"lock table {schema_of(tmp_path)}.runs in access exclusive mode")
        with pytest.raises(Unavailable, match="could not be seen in time"):
            await one.workers.heartbeat("worker", [])
    assert before is None
    assert one.workers.lease_ends("worker") is not None


async def test_who_renews_its_lease_gives_a_sign_of_life_though_its_runs_cannot_be_seen(
    server: Handle, tmp_path: Path
) -> None:
    one, other = server(lease=LONG), server()
    await one.workers.heartbeat("worker", [])
    one.workers.leases.seconds = LEASE  # a beat may look for a part of that
    before = dict(await other.workers.known())["worker"]
    with psycopg.connect(address()) as outsider:
        outsider.execute(f"select 1 from {schema_of(tmp_path)}.workers for update")
        with pytest.raises(Unavailable, match="could not be seen in time"):
            await one.workers.heartbeat("worker", [])
        assert dict(await other.workers.known())["worker"] > before
