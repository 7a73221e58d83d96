"""Servers that share a database write all of it encrypted, or none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage

from .builders import claim, claim_all, finish_request, insert, stateless
from .postgres_handles import Handle, PostgresHandles

LEASE = 1.0
"""Seconds for those whose leases are to run out."""
LONG = 60.0
"""Seconds for those who must be found alive, however slow the machine is."""


@pytest.fixture
def handle(postgres_handles: PostgresHandles) -> Handle:
    """Another process's handle, which is not open yet."""
    return partial(postgres_handles.make, lease=LEASE)


async def until_opened(storage: Storage) -> None:
    """Tries to serve with encryption until nobody is in the way."""
    async with asyncio.timeout(LONG):
        while True:
            try:
                return storage.open(maintain=True, encrypted=True)
            except ConfigError:
                await asyncio.sleep(0.05)


def test_no_server_begins_to_encrypt_beside_one_that_does_not(handle: Handle) -> None:
    plain, encrypting = handle(lease=LONG), handle()
    plain.open(maintain=True)
    with pytest.raises(ConfigError, match=r"servers without encryption use it .*stop them first"):
        encrypting.open(maintain=True, encrypted=True)
    assert not encrypting.schema().encrypted, "plain servers may go on, and others begin"
    handle().open(maintain=True)


def test_a_server_begins_to_encrypt_when_the_last_one_that_does_not_has_ended(handle: Handle) -> None:
    plain, encrypting = handle(), handle()
    plain.open(maintain=True)
    plain.close()
    encrypting.open(maintain=True, encrypted=True)
    with pytest.raises(ConfigError, match="what it holds is encrypted"):
        handle().open(maintain=True)


async def test_a_server_that_was_killed_is_in_the_way_for_as_long_as_its_lease(handle: Handle) -> None:
    handle().open(maintain=True)  # and renews nothing
    await until_opened(handle())


WRITES: dict[str, Callable[[Storage], Awaitable[object]]] = {
    "a change of several rows": lambda storage: storage.threads.delete(Scope.everything(), ["a thread"]),
    "a run in a group": lambda storage: insert(storage, stateless()),
    "a single statement": lambda storage: claim_all(storage),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_server_that_was_suspended_while_encryption_began_writes_nothing_at_all(
    handle: Handle, write: Callable[[Storage], Awaitable[object]]
) -> None:
    plain, encrypting = handle(), handle()
    plain.open(maintain=True)  # and is suspended for longer than its lease
    await until_opened(encrypting)
    with pytest.raises(Unavailable, match="writes nothing any more"):
        await write(plain)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_server_that_was_suspended_goes_on_where_nobody_encrypts(
    handle: Handle, write: Callable[[Storage], Awaitable[object]]
) -> None:
    plain = handle(lease=0.0)
    plain.open(maintain=True)
    await write(plain)
    await write(plain)


async def test_a_server_that_learns_late_of_encryption_writes_nothing_any_more(handle: Handle) -> None:
    plain, encrypting = handle(), handle()
    plain.open(maintain=True)  # and is suspended for longer than its lease
    await until_opened(encrypting)
    with pytest.raises(Unavailable, match="start it with the project's encryption"):
        await plain.workers.alive()
    for refused in (insert(plain, stateless()), plain.check()):
        with pytest.raises(Unavailable, match="writes nothing any more"):
            await refused
    await encrypting.workers.alive()
    await encrypting.check()


async def test_a_worker_that_learns_late_of_encryption_writes_nothing_any_more(handle: Handle) -> None:
    worker, encrypting = handle(), handle()
    await asyncio.to_thread(worker.workers.register, "worker")
    worker.open(maintain=False)
    new_run = await insert(worker, stateless())
    lease = (await claim(worker, "worker", new_run)).lease
    await until_opened(encrypting)
    with pytest.raises(Unavailable, match="start it with the project's encryption"):
        await worker.workers.heartbeat("worker", [lease])
    with pytest.raises(Unavailable, match="writes nothing any more"):
        await worker.queue.finish(finish_request(lease))


async def test_neither_are_workers_that_outlive_their_server_overlooked(handle: Handle) -> None:
    worker, encrypting = handle(lease=LONG), handle()
    await asyncio.to_thread(worker.workers.register, "worker")
    worker.open(maintain=False)
    with contextlib.suppress(Unavailable):  # its runs could not be seen in time; it lives
        await worker.workers.heartbeat("worker", [])
    with pytest.raises(ConfigError, match="servers without encryption use it"):
        encrypting.open(maintain=True, encrypted=True)


async def test_a_worker_that_has_not_begun_is_in_nobodys_way(handle: Handle) -> None:
    first, second, worker = handle(), handle(), handle()
    await asyncio.to_thread(worker.workers.register, "worker")
    first.open(maintain=True, encrypted=True)
    worker.open(maintain=False, encrypted=True)
    second.open(maintain=True, encrypted=True)
