"""A scheduler of crons on a storage of its own, with a clock that the test sets."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from runyard.generated.models import Assistant, Cron, Run
from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.errors import NotFound
from runyard.runtime.maintenance.cron_scheduler import CronScheduler
from runyard.runtime.scope import Scope
from runyard.runtime.services.crons import Crons
from runyard.runtime.services.idempotency import Idempotency
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.storage.port.runs import CancelResult
from runyard.runtime.storage.port.storage import Storage

ASSISTANT = Assistant(
    assistant_id="11111111-1111-4111-8111-111111111111",
    graph_id="chain",
    config={},
    context={},
    created_at="",
    updated_at="",
    metadata={},
    version=1,
    name="chain",
    description=None,
)


class Clock:
    """The time of day, which passes when it is told to."""

    def __init__(self) -> None:
        self.time = datetime.fromisoformat("2026-03-28T12:00:00.500+00:00")

    def __call__(self) -> int:
        return round(self.time.timestamp() * 1e6) * 1000

    def set(self, time: str) -> None:
        self.time = datetime.fromisoformat(f"{time}+00:00")


class Assistants:
    """One assistant, until it is taken away; remembers who asked."""

    def __init__(self) -> None:
        self.there = True
        self.asked: list[str | None] = []

    async def resolve(self, scope: Scope, name: str) -> Assistant:
        self.asked.append(scope.identity)
        if not self.there:
            raise NotFound("Thread or assistant not found.")
        return ASSISTANT


class Told:
    """Workers and those who follow runs."""

    def __init__(self) -> None:
        self.ready = 0
        self.cancelled: list[tuple[int, str]] = []

    def wake(self, ready: int) -> None:
        self.ready += ready

    def announce_cancellation(self, result: CancelResult, action: str) -> None:
        self.cancelled.append((len(result.ended), action))


class Scene:
    """A scheduler on a storage of its own, at a time of the test's."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self.storage = storage
        self.clock = clock
        self.assistants = Assistants()
        self.told = Told()
        self.counts: list[str] = []
        self.woken = 0
        self.rules = RunRules(webhooks=WebhookPolicy())
        self.crons = Crons(
            storage.crons,
            cast("Any", self.assistants),
            self.rules,
            Idempotency(storage.idempotency, storage.threads),
            self._wake,
        )
        self.scheduler = self.another_scheduler()

    def another_scheduler(self) -> CronScheduler:
        assistants, told = cast("Any", self.assistants), cast("Any", self.told)
        return CronScheduler(self.storage.crons, assistants, self.rules, told, told, self.counts.append)

    def _wake(self) -> None:
        self.woken += 1

    async def create(self, schedule: str, identity: str | None = None, **fields: Any) -> Cron:
        given = {"assistant_id": "chain", "schedule": schedule, "on_run_completed": "keep", "input": {}, **fields}
        thread_id = given.pop("thread_id", None)
        if thread_id is not None:
            del given["on_run_completed"]
        return await self.crons.create(Scope(identity=identity), given, thread_id)

    async def perform(self) -> float:
        """Until there is nothing to do; returns the seconds that it would sleep."""
        while not (pause := await self.scheduler.perform()):
            pass
        return pause

    async def runs(self) -> list[Run]:
        found = await self.storage.runs.cancellable(
            Scope.everything(), thread_id=None, run_ids=None, status="all", limit=1000
        )
        runs = [await self.storage.runs.get(Scope.everything(), *ref) for ref in found.runs]
        return [run for run in runs if run is not None]

    async def next_date(self, cron: Cron) -> str | None:
        date = (await self.crons.get(Scope.everything(), cron.cron_id)).next_run_date
        return None if date is None else date.removesuffix(".000000+00:00")
