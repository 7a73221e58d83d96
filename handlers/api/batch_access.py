"""What the operations on batches ask the project's authorisation handlers; see `thread_access`.

Batches are no resource of their own there: they are asked about as the threads of their runs are, of none in
particular, and the filters hold for the metadata of the batch, which handlers see, and may add to, when it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from runyard.generated.models import Command, RunCreateStateless
from runyard.handlers.api.assistant_access import ASSISTANTS
from runyard.handlers.api.run_access import ARGUMENTS, create_run
from runyard.handlers.api.thread_access import THREADS, delete_thread, narrowed, read_thread, update_thread
from runyard.runtime.auth.authorization import authorize
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope
from runyard.runtime.services.batch_results import ItemToRetry
from runyard.runtime.services.new_runs import command_of


async def read_batch(principal: Principal) -> Scope:
    """threads.read: the batch, its runs, or how far it is."""
    return await read_thread(principal, None)


async def cancel_batch(principal: Principal, batch_id: str) -> Scope:
    """threads.update, for all of its runs."""
    return await update_thread(principal, None, action="interrupt", metadata={"batch_id": batch_id})


async def retry_batch(principal: Principal, batch_id: str) -> Scope:
    """threads.update, for the runs that failed; each of the new ones is asked for by `retry_item`."""
    return await update_thread(principal, None, metadata={"batch_id": batch_id})


async def retry_item(principal: Principal, item: ItemToRetry) -> tuple[Scope, ItemToRetry]:
    """threads.create_run and assistants.read, as for the run that failed; how far the latter reaches, and the item as
    it is to be run."""
    command = item.kwargs.get("command")
    kept: dict[str, Any] = {name: item.kwargs[name] for name in ARGUMENTS if name in item.kwargs}
    given = RunCreateStateless(
        assistant_id=item.assistant_id,
        metadata={**item.metadata},
        multitask_strategy=item.strategy,
        command=None if command is None else msgspec.convert(command, Command),
        **kept,
    )
    scope, request = await create_run(principal, given)
    decided = {name: getattr(request, name) for name in ARGUMENTS}
    decided["config"] = request.config or {}
    before, after = ((given.config or {}).get("configurable") or {}, decided["config"].get("configurable") or {})
    # What is configured stands in the context too.
    context = {key: value for key, value in (request.context or {}).items() if key in after or key not in before}
    decided["context"] = {**context, **{key: after[key] for key in after if after[key] != before.get(key)}}
    decided["command"] = command_of(request.command)
    return scope.of(ASSISTANTS, item.assistant_id), replace(
        item, webhook=request.webhook, metadata=request.metadata or {}, kwargs={**item.kwargs, **decided}
    )


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
