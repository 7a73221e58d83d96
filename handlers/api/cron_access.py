"""What the operations on crons ask the project's authorisation handlers, and with which values; see `thread_access`.

What a cron's runs may do is decided when it is made: they are its creator's, with the metadata that was decided then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar
from uuid import UUID

from runyard.generated.models import Cron, CronCountRequest, CronSearch, RunCreateStateful, RunCreateStateless
from runyard.handlers.api.assistant_access import ASSISTANTS
from runyard.handlers.api.run_access import create_run
from runyard.handlers.api.thread_access import THREADS, narrowed
from runyard.runtime.auth.authorization import authorize
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope
from runyard.runtime.services.cron_runs import RUN_FIELDS

Search = TypeVar("Search", CronSearch, CronCountRequest)

CRONS: Final = "crons"
_ASKED: Final = (*RUN_FIELDS, "metadata")


async def create_cron(
    principal: Principal, given: Mapping[str, Any], thread_id: str | None
) -> tuple[Scope, Mapping[str, Any]]:
    """crons.create, and what a run of it asks for: threads.create_run and assistants.read; also the fields as they are
    to be set."""
    if principal.rules is None:
        return principal.scope, given
    fields = {name: given[name] for name in ("assistant_id", *_ASKED) if name in given}
    run = RunCreateStateless(**fields) if thread_id is None else RunCreateStateful(**fields)
    runs, allowed = await create_run(principal, run, thread_id)
    changed = {name: getattr(allowed, name) for name in _ASKED if getattr(allowed, name) != getattr(run, name)}
    given = {**given, **changed}
    value: dict[str, Any] = {
        "cron_id": None,
        "thread_id": thread_id and UUID(thread_id),
        "schedule": given["schedule"],
        "end_time": given.get("end_time"),
        "user_id": principal.identity,
        "payload": {**given},
        "metadata": {**(given.get("metadata") or {})},
    }
    scope = await authorize(principal, CRONS, "create", value)
    beside = {(ASSISTANTS, run.assistant_id): runs.of(ASSISTANTS, run.assistant_id), (THREADS, None): runs}
    return replace(scope, beside=beside), _as_decided(given, value)


async def read_cron(principal: Principal, cron_id: str) -> Scope:
    """crons.read."""
    if principal.rules is None:
        return principal.scope
    return await authorize(principal, CRONS, "read", {"cron_id": UUID(cron_id)})


FindCron = Callable[[Scope, str], Awaitable[Cron]]
"""A cron in a scope. Raises NotFound."""


async def patch_cron(
    principal: Principal, find: FindCron, cron_id: str, given: Mapping[str, Any]
) -> tuple[Scope, Mapping[str, Any]]:
    """crons.update; and where runs of the cron are asked for otherwise from now on, what such a run asks for. Also the
    fields as they are to be set."""
    if principal.rules is None:
        return principal.scope, given
    concerns_runs = any(name in given for name in _ASKED)
    scope, given = await _patch(principal, cron_id, given)
    if not concerns_runs:
        return scope, given
    cron = await find(scope, cron_id)
    fields: dict[str, Any] = {name: cron.payload[name] for name in RUN_FIELDS if name in cron.payload}
    fields |= {name: given[name] for name in RUN_FIELDS if name in given}
    fields |= {"assistant_id": cron.assistant_id, "metadata": {**cron.metadata, **given.get("metadata", {})}}
    run = RunCreateStateless(**fields) if cron.thread_id is None else RunCreateStateful(**fields)
    runs, allowed = await create_run(principal, run, cron.thread_id)
    changed = {name: getattr(allowed, name) for name in _ASKED if getattr(allowed, name) != getattr(run, name)}
    beside = {(ASSISTANTS, cron.assistant_id): runs.of(ASSISTANTS, cron.assistant_id), (THREADS, None): runs}
    return replace(scope, beside=beside), {**given, **changed}


async def _patch(principal: Principal, cron_id: str, given: Mapping[str, Any]) -> tuple[Scope, Mapping[str, Any]]:
    value: dict[str, Any] = {
        "cron_id": UUID(cron_id),
        "schedule": given.get("schedule"),
        "payload": {**given},
        "metadata": {**(given.get("metadata") or {})},
    }
    return await authorize(principal, CRONS, "update", value), _as_decided(given, value)


async def delete_cron(principal: Principal, cron_id: str) -> Scope:
    """crons.delete."""
    if principal.rules is None:
        return principal.scope
    return await authorize(principal, CRONS, "delete", {"cron_id": UUID(cron_id)})


async def search_crons(principal: Principal, request: Search) -> tuple[Scope, Search]:
    """crons.search; also the request as it is to be carried out."""
    if principal.rules is None:
        return principal.scope, request
    value: dict[str, Any] = {
        "assistant_id": request.assistant_id and UUID(request.assistant_id),
        "thread_id": request.thread_id and UUID(request.thread_id),
        "metadata": {**(request.metadata or {})},
        "limit": getattr(request, "limit", None),
        "offset": getattr(request, "offset", None),
    }
    scope = await authorize(principal, CRONS, "search", value)
    scope, metadata = narrowed(scope, request.metadata, value)
    return scope, replace(request, metadata=metadata)


def _as_decided(given: Mapping[str, Any], value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a request, with what a handler has changed in the payload and in the metadata, and without what it
    has taken out of the payload."""
    payload: Mapping[str, Any] = value.get("payload") or {}
    metadata: Mapping[str, Any] = value.get("metadata") or {}
    left = {name: payload[name] for name in RUN_FIELDS if name in payload}
    others = {name: item for name, item in given.items() if name not in RUN_FIELDS}
    return {**others, **left, **({"metadata": metadata} if metadata or "metadata" in given else {})}
