"""Crons with any id that is asked for, but for the uuid 0."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from runyard.generated import models
from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.paging import Page

from .times import NOW


def make_cron(cron_id: str, thread_id: str | None = None) -> models.Cron:
    return models.Cron(
        cron_id=cron_id,
        assistant_id=str(uuid.uuid4()),
        thread_id=thread_id,
        schedule="* * * * *",
        timezone=None,
        end_time=None,
        enabled=True,
        on_run_completed="delete" if thread_id is None else None,
        payload={"schedule": "* * * * *"},
        metadata={},
        next_run_date=NOW,
        user_id=None,
        created_at=NOW,
        updated_at=NOW,
    )


class FakeCrons:
    """`calls` has the calls that change something."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def create(
        self,
        scope: Scope,
        given: Mapping[str, Any],
        thread_id: str | None = None,
        *,
        once: IdempotentRequest | None = None,
    ) -> models.Cron:
        self.calls.append(("create", given, thread_id))
        return make_cron(str(uuid.uuid4()), thread_id)

    async def get(self, scope: Scope, cron_id: str) -> models.Cron:
        if cron_id == str(uuid.UUID(int=0)):
            raise NotFound("Not Found")
        return make_cron(cron_id)

    async def patch(self, scope: Scope, cron_id: str, given: Mapping[str, Any]) -> models.Cron:
        self.calls.append(("patch", given))
        return make_cron(cron_id)

    async def delete(self, scope: Scope, cron_id: str) -> None:
        self.calls.append(("delete", cron_id))

    async def search(self, scope: Scope, request: models.CronSearch) -> Page[models.Cron]:
        return Page([make_cron(str(uuid.uuid4()))], 1, None)

    async def count(self, scope: Scope, request: models.CronCountRequest) -> int:
        return 3
