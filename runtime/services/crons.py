"""Crons: created, looked up, changed, deleted. What is due is the business of maintenance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from uuid_utils import uuid7

from runyard.generated.models import Assistant, Cron, CronCountRequest, CronSearch
from runyard.runtime.errors import Invalid, NotFound, RunyardError, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.services.cron_runs import RUN_FIELDS, new_cron_run, payload_of
from runyard.runtime.services.idempotency import Idempotency, IdempotentRequest
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.services.paging import Page, page_of
from runyard.runtime.services.schedules import read_moment, read_schedule
from runyard.runtime.storage.kept_answers import unpack_cron
from runyard.runtime.storage.port.crons import CronStorage, StoredCron
from runyard.runtime.storage.port.idempotency import IdempotencyKey

TIMING = ("schedule", "timezone", "end_time", "enabled")
"""The fields that say when a cron is due."""


class Crons:
    """The service behind the operations on crons."""

    def __init__(
        self,
        storage: CronStorage,
        assistants: Assistants,
        rules: RunRules,
        idempotency: Idempotency,
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called when a cron may be due earlier than any that there was."""
        self._storage = storage
        self._idempotency = idempotency
        self._assistants = assistants
        self._rules = rules
        self._wake = wake

    async def create(
        self,
        scope: Scope,
        given: Mapping[str, Any],
        thread_id: str | None = None,
        *,
        once: IdempotentRequest | None = None,
    ) -> Cron:
        """A new cron, on a thread or with one for each run, from the fields of the request that were given.

        All is checked that can be: the assistant, the schedule, and what its runs are asked for with. Raises NotFound
        for an unknown assistant or thread, Invalid or BadRequest for the rest, and what `Idempotency.once` raises.
        """

        async def again(packed: bytes) -> Cron:
            cron = unpack_cron(packed)
            payload = payload_of({**given, "assistant_id": cron.assistant_id}, cron.cron_id)
            return shown(replace(cron, payload=payload))

        return await self._idempotency.once(scope, once, partial(self._create, scope, given, thread_id), again)

    async def _create(
        self, scope: Scope, given: Mapping[str, Any], thread_id: str | None, key: IdempotencyKey | None
    ) -> Cron:
        name = given["assistant_id"]
        assistant = await self._assistant(scope.of("assistants", name), name)
        cron_id = str(uuid7())
        cron = StoredCron(
            cron_id=cron_id,
            assistant_id=assistant.assistant_id,
            thread_id=thread_id,
            schedule=given["schedule"],
            timezone=given.get("timezone"),
            end_time=_end_time(given, given.get("timezone")),
            enabled=given.get("enabled", True),
            on_run_completed=given.get("on_run_completed", "delete") if thread_id is None else None,
            payload=payload_of({**given, "assistant_id": assistant.assistant_id}, cron_id),
            metadata=given.get("metadata", {}),
        )
        read_schedule(cron.schedule, cron.timezone)
        new_cron_run(cron, assistant, self._rules)
        created = await self._storage.create(scope, cron, timed, self._rules.expiry, key)
        self._wake()
        return shown(created)

    async def get(self, scope: Scope, cron_id: str) -> Cron:
        """Raises NotFound."""
        cron = await self._storage.get(scope, cron_id)
        if cron is None:
            raise NotFound("Not Found")
        return shown(cron)

    async def patch(self, scope: Scope, cron_id: str, given: Mapping[str, Any]) -> Cron:
        """Changes the fields that were given; metadata is merged at its top level. Raises NotFound, and what `create`
        raises for what was given."""
        cron = await self._storage.get(scope, cron_id)
        if cron is None:
            raise NotFound(f"Cron '{cron_id}' not found")
        if cron.thread_id is not None and "on_run_completed" in given:
            raise Invalid("on_run_completed: this cron is on a thread, which stays; leave the field out")
        assistant = None
        if any(name in given for name in RUN_FIELDS):
            if scope.beside:  # who changes it must reach what its runs are of
                await self._assistant(scope.of("assistants", cron.assistant_id), cron.assistant_id)
            assistant = await self._assistant(cron.runs_scope, cron.assistant_id)
        changed = _changed(cron, given)
        read_schedule(changed.schedule, changed.timezone)

        def change(cron: StoredCron, time: int) -> StoredCron:
            changed = _changed(cron, given)
            if assistant is not None:
                new_cron_run(changed, assistant, self._rules)
            if all(getattr(cron, name) == getattr(changed, name) for name in TIMING):
                return changed
            return timed(changed, time)

        written = await self._storage.change(scope, cron_id, change)
        if written is None:
            raise NotFound(f"Cron '{cron_id}' not found")
        self._wake()
        return shown(written)

    async def delete(self, scope: Scope, cron_id: str) -> None:
        """Raises NotFound."""
        if not await self._storage.delete(scope, cron_id):
            raise NotFound("Not Found")

    async def search(self, scope: Scope, request: CronSearch) -> Page[Cron]:
        """One page of the crons that match."""
        found = await self._storage.search(scope, request, limit=request.limit + 1, offset=request.offset)
        return page_of([shown(cron) for cron in found], limit=request.limit, offset=request.offset)

    async def count(self, scope: Scope, request: CronCountRequest) -> int:
        """How many crons match."""
        return await self._storage.count(scope, request)

    async def _assistant(self, scope: Scope, name: str) -> Assistant:
        try:
            return await self._assistants.resolve(scope, name)
        except NotFound:
            raise NotFound(f"Assistant '{name[:100]}' not found") from None
        except Unavailable:
            raise
        except RunyardError as error:
            raise NotFound(f"Assistant '{name[:100]}' not found. {error.detail}") from None


def timed(cron: StoredCron, time: int) -> StoredCron:
    """The cron with the moment at which it is due next, after `time`."""
    return replace(cron, next_due=next_due(cron, time), timed_at=time)


def next_due(cron: StoredCron, time: int) -> int | None:
    """The first moment after `time` at which the cron is due; None when there is none up to its end."""
    found = read_schedule(cron.schedule, cron.timezone).next_after(time)
    return None if found is None or (cron.end_time is not None and found > cron.end_time) else found


def shown(cron: StoredCron) -> Cron:
    """A cron as the interface shows it."""
    return Cron(
        cron_id=cron.cron_id,
        assistant_id=cron.assistant_id,
        thread_id=cron.thread_id,
        schedule=cron.schedule,
        timezone=cron.timezone,
        end_time=None if cron.end_time is None else _iso(cron.end_time),
        enabled=cron.enabled,
        on_run_completed=cron.on_run_completed,
        payload=cron.payload,
        metadata=cron.metadata,
        next_run_date=None if cron.next_due is None else _iso(cron.next_due),
        user_id=cron.creator,
        created_at=_iso(cron.created_at),
        updated_at=_iso(cron.updated_at),
    )


def _changed(cron: StoredCron, given: Mapping[str, Any]) -> StoredCron:
    timezone = given.get("timezone", cron.timezone)
    return replace(
        cron,
        schedule=given.get("schedule", cron.schedule),
        timezone=timezone,
        end_time=_end_time(given, timezone) if "end_time" in given else cron.end_time,
        enabled=given.get("enabled", cron.enabled),
        on_run_completed=given.get("on_run_completed", cron.on_run_completed),
        payload=payload_of({**cron.payload, **given}, cron.cron_id),
        metadata={**cron.metadata, **given.get("metadata", {})},
    )


def _end_time(given: Mapping[str, Any], timezone: str | None) -> int | None:
    text = given.get("end_time")
    return None if text is None else read_moment(text, timezone)


def _iso(micros: int) -> str:
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat(timespec="microseconds")
