"""What the operations that make or cancel runs ask the project's authorisation handlers; see `thread_access`.

A run asks for two things: threads.create_run, whose filter is for the thread that it goes on, and assistants.read,
whose filter is for its assistant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from runyard.generated.models import Command, RunCreateStateful, RunCreateStateless, RunsCancel
from runyard.handlers.api.assistant_access import ASSISTANTS, assistant_uuid, read_assistant
from runyard.handlers.api.thread_access import THREADS, read_thread, update_thread
from runyard.runtime.auth.authorization import authorize
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope
from runyard.runtime.services.batches import BatchOptions
from runyard.runtime.services.configuration import config_metadata

Request = TypeVar("Request", bound=RunCreateStateless | RunCreateStateful)

_AT_ONCE: Final = 200
"""Runs of a batch after which others get their turn."""
ARGUMENTS: Final = (
    *("input", "config", "context", "webhook", "interrupt_before", "interrupt_after"),
    *("stream_mode", "feedback_keys", "durability"),
)
"""Fields of a request for a run that handlers find, and may change, in `kwargs`."""


async def create_run(principal: Principal, request: Request, thread_id: str | None = None) -> tuple[Scope, Request]:
    """threads.create_run and assistants.read; also the request as it is to be carried out. `thread_id` None: the run
    brings a thread of its own."""
    if principal.rules is None:
        return principal.scope, request
    name = request.assistant_id
    assistants = await read_assistant(principal, name)
    scope, request = await _create_run(principal, request, thread_id)
    return replace(scope, beside={(ASSISTANTS, name): assistants}), request


async def create_batch(
    principal: Principal, requests: Sequence[Request], options: BatchOptions
) -> tuple[Scope, Sequence[Request], BatchOptions]:
    """As `create_run` for each of the runs, which all bring threads of their own, and once more for the batch itself:
    as for its first run, but with the metadata of the batch. Each assistant is asked about once."""
    if principal.rules is None:
        return principal.scope, requests, options
    scope = principal.scope
    assistants: dict[tuple[str, str | None], Scope] = {}
    allowed = []
    for index, request in enumerate(requests):
        name = request.assistant_id
        if (ASSISTANTS, name) not in assistants:
            assistants[ASSISTANTS, name] = await read_assistant(principal, name)
        scope, request = await _create_run(principal, request, None)
        allowed.append(request)
        if index % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    batch = replace(requests[0], metadata={**(options.metadata or {})}, config=None)
    _, batch = await _create_run(principal, batch, None)
    return replace(scope, beside=assistants), allowed, replace(options, metadata=batch.metadata)


async def _create_run(principal: Principal, request: Request, thread_id: str | None) -> tuple[Scope, Request]:
    given = {name: getattr(request, name) for name in ARGUMENTS}
    # Handlers may change what is in the config, where the request has none too.
    kwargs: dict[str, Any] = {**given, "config": {**(request.config or {})}}
    kwargs["config"]["configurable"] = {**(kwargs["config"].get("configurable") or {})}
    command = request.command
    value: dict[str, Any] = {
        "assistant_id": assistant_uuid(request.assistant_id),
        "thread_id": thread_id and UUID(thread_id),
        "run_id": None,
        "status": "pending",
        "metadata": {**config_metadata(request.config), **(request.metadata or {})},
        "prevent_insert_if_inflight": request.multitask_strategy == "reject",
        "multitask_strategy": request.multitask_strategy,
        "if_not_exists": request.if_not_exists,
        "after_seconds": request.after_seconds or 0,
        "kwargs": {**kwargs, "command": None if command is None else msgspec.to_builtins(command)},
    }
    scope = await authorize(principal, THREADS, "create_run", value)
    changed: dict[str, Any] = {name: value["kwargs"].get(name) for name in ARGUMENTS}
    # Of its metadata, what the handler has left of them is in those of the run.
    config = {key: item for key, item in (changed["config"] or {}).items() if key != "metadata"}
    if not config.get("configurable"):
        config.pop("configurable", None)
    # Not what the request had: the handler may have taken that away.
    changed["config"] = config or (request.config and {})
    told = value["kwargs"].get("command")
    changed["command"] = None if told is None else msgspec.convert(told, Command)
    return scope, replace(request, metadata=value.get("metadata"), **changed)


FindThread = Callable[[str], Awaitable[str | None]]
"""The thread of a run, whoever's they are; None: there is no such run."""


async def read_run(principal: Principal, thread_of: FindThread, run_id: str) -> Scope:
    """threads.read, for a run that is named without its thread."""
    if principal.rules is None:
        return principal.scope
    return await read_thread(principal, await thread_of(run_id), run_id)


async def cancel_found_run(principal: Principal, thread_of: FindThread, run_id: str) -> Scope:
    """threads.update, for a run that is named without its thread and is to be stopped."""
    if principal.rules is None:
        return principal.scope
    return await cancel_run(principal, await thread_of(run_id), run_id, "interrupt")


async def cancel_run(principal: Principal, thread_id: str | None, run_id: str, action: str) -> Scope:
    """threads.update, for one run."""
    return await update_thread(principal, thread_id, action=action, metadata={"run_ids": [run_id]})


async def cancel_runs(principal: Principal, request: RunsCancel, action: str) -> Scope:
    """threads.update, for several runs of a thread or runs of all threads."""
    told = {"run_ids": request.run_ids, "status": request.status}
    return await update_thread(principal, request.thread_id, action=action, metadata=told)
