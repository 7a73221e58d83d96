"""What the operations on batches ask the project's authorisation handlers; see `thread_access`.

Batches are no resource of their own there: they are asked about as the threads of their runs are, of none in
particular, and the filters hold for the metadata of the batch, which handlers see, and may add to, when it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.handlers.api.thread_access import THREADS, delete_thread, narrowed, read_thread, update_thread
from runyard.runtime.auth.authorization import authorize
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope


async def read_batch(principal: Principal) -> Scope:
    """threads.read: the batch, its runs, or how far it is."""
    return await read_thread(principal, None)


async def cancel_batch(principal: Principal, batch_id: str) -> Scope:
    """threads.update, for all of its runs."""
    return await update_thread(principal, None, action="interrupt", metadata={"batch_id": batch_id})


async def retry_batch(principal: Principal, batch_id: str) -> Scope:
    """threads.update, for the runs that failed."""
    return await update_thread(principal, None, metadata={"batch_id": batch_id})


async def delete_batch(principal: Principal) -> Scope:
    """threads.delete."""
    return await delete_thread(principal, None)


async def search_batches(
    principal: Principal, metadata: Mapping[str, Any] | None, *, limit: int, offset: int
) -> tuple[Scope, Mapping[str, Any] | None]:
    """threads.search; also the metadata that are to be searched for."""
    if principal.rules is None:
        return principal.scope, metadata
    value: dict[str, Any] = {
        "metadata": {**(metadata or {})},
        "values": {},
        "status": None,
        "limit": limit,
        "offset": offset,
        "ids": None,
        "thread_id": None,
    }
    return narrowed(await authorize(principal, THREADS, "search", value), metadata, value)
