"""What runs save is written in few statements: each is a round trip."""

from __future__ import annotations

import asyncio
from typing import Any

from runyard.runtime.storage.postgres.storage import PostgresStorage
from tests.storage.builders import checkpoint_row, claim_all, insert, stateless


async def test_what_runs_save_is_fenced_and_written_by_one_statement(
    storage: PostgresStorage, statements: list[tuple[str, Any]]
) -> None:
    await insert(storage, *(stateless() for _ in range(10)))
    leases = [leased.lease for leased in await claim_all(storage)]
    statements.clear()
    appends = [storage.checkpoints.append(lease, [checkpoint_row(lease.thread_id, "1")]) for lease in leases]
    await asyncio.gather(*(asyncio.wrap_future(append) for append in appends))
    # How many go together depends on how quick the machine is.
    assert 1 <= len(statements) <= len(leases)
    assert all("append_checkpoint_rows" in statement for statement, _ in statements)
    for lease in leases:
        assert await storage.checkpoints.latest(lease.thread_id, "") is not None
