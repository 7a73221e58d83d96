"""What services and maintenance hand to storage for crons. The moments of these tests are seconds apart and made up."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from runyard.generated.models import CronCountRequest, CronSearch
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.crons import Fired, Firing, StoredCron
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import ASSISTANT, on_thread, stateless
from .owned import EVERYTHING

SECOND = 1_000_000
LONG_AGO = 1_000_000_000 * SECOND
"""A moment at which a cron that has it as its next one is due, whatever the time."""


def new_cron(**changes: Any) -> StoredCron:
    """A cron that is due; `changes` are fields of it."""
    cron = StoredCron(
        cron_id=str(uuid.uuid4()),
        assistant_id=ASSISTANT,
        thread_id=None,
        schedule="* * * * *",
        timezone=None,
        end_time=None,
        enabled=True,
        on_run_completed="delete",
        payload={"schedule": "* * * * *", "input": {"n": 1}},
        metadata={},
        next_due=LONG_AGO,
    )
    return replace(cron, **changes)


def unchanged(cron: StoredCron, time: int) -> StoredCron:
    return cron


async def create(storage: Storage, scope: Scope | None = None, **changes: Any) -> StoredCron:
    return await storage.crons.create(scope or Scope.everything(), new_cron(**changes), unchanged)


def run_of(cron: StoredCron, **changes: Any) -> NewRun:
    """The run that a cron makes."""
    return stateless(**changes) if cron.thread_id is None else on_thread(cron.thread_id, **changes)


def firing(cron: StoredCron, **changes: Any) -> Firing:
    """The cron's moment has come; the next one is a second later."""
    assert cron.next_due is not None
    return replace(Firing(cron, cron.next_due, cron.next_due + SECOND, run_of(cron)), **changes)


async def fire(storage: Storage, *firings: Firing) -> list[Fired]:
    return await storage.crons.fire(firings)


async def due_ids(storage: Storage) -> list[str]:
    return [cron.cron_id for cron in (await storage.crons.due(100)).crons]


async def search(storage: Storage, **asked: Any) -> list[str]:
    request = CronSearch(**asked)
    found = await storage.crons.search(EVERYTHING, request, limit=request.limit, offset=request.offset)
    return [cron.cron_id for cron in found]


async def count(storage: Storage, scope: Scope = EVERYTHING, **asked: Any) -> int:
    return await storage.crons.count(scope, CronCountRequest(**asked))
