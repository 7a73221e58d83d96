"""Crons make their runs when they are due."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from runyard.generated.models import Assistant
from runyard.runtime.bus.workers import Workers
from runyard.runtime.errors import RunyardError, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.services.cron_runs import new_cron_run
from runyard.runtime.services.crons import next_due, timed
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.services.schedules import read_schedule
from runyard.runtime.storage.port.crons import CronStorage, Fired, Firing, StoredCron
from runyard.runtime.streams.broker import Broker

logger = logging.getLogger(__name__)

CRONS_PER_STEP = 100
"""Prepared together; others get the event loop in between, and the database between two steps."""
PREPARED_INLINE = 10
GRACE = 60_000_000
"""Microseconds for which each moment counts by itself: a pause of the machine, or a restart, loses none."""
LONGEST_SLEEP = 5.0
"""Seconds after which it looks again whether anything is due: somebody may have set the time of day."""
UNREADABLE_PAUSE = 3_600_000_000
"""Microseconds until a cron is tried again whose schedule cannot be read any more: the machine's time zones have
changed, say."""

Named = tuple[str | None, str]
"""An assistant, as somebody names it."""


class CronScheduler:
    """Sleeps until the next cron is due. Of the moments that a cron has missed by more than the grace, the latest makes
    a run. When the time of day was set back, crons are timed anew.

    `count` is told of each firing what became of it: `fired`, `late` (it stands for others too) or `refused`.
    """

    def __init__(
        self,
        storage: CronStorage,
        assistants: Assistants,
        rules: RunRules,
        workers: Workers,
        broker: Broker,
        count: Callable[[str], None],
    ) -> None:
        self._storage = storage
        self._assistants = assistants
        self._rules = rules
        self._workers = workers
        self._broker = broker
        self._count = count

    async def perform(self) -> float:
        """At once again when more may be due."""
        due = await self._storage.due(CRONS_PER_STEP)
        for cron in due.misdated:
            await self._storage.change(Scope.everything(), cron.cron_id, _timed_anew)
        if due.misdated:
            return 0.0
        if not due.crons:
            return LONGEST_SLEEP if due.seconds is None else min(LONGEST_SLEEP, due.seconds + 0.001)
        known: dict[Named, Assistant | RunyardError] = {}
        firings: list[Firing] = []
        for index, cron in enumerate(due.crons):
            firings.append(self._firing(cron, due.now, await self._assistant(cron, known)))
            if index % PREPARED_INLINE == PREPARED_INLINE - 1:
                await asyncio.sleep(0)
        for fired in await self._storage.fire(firings):
            self._tell(fired)
        return 0.0

    async def _assistant(
        self, cron: StoredCron, known: dict[Named, Assistant | RunyardError]
    ) -> Assistant | RunyardError:
        """The assistant of the cron's runs, or why there is none. Raises what may be otherwise at the next try."""
        name = (cron.creator, cron.assistant_id)
        if name not in known:
            try:
                known[name] = await self._assistants.resolve(cron.runs_scope, cron.assistant_id)
            except Unavailable:
                raise
            except RunyardError as error:
                known[name] = error
        return known[name]

    def _firing(self, cron: StoredCron, now: int, assistant: Assistant | RunyardError) -> Firing:
        assert cron.next_due is not None
        due = cron.next_due
        following: int | None = now + UNREADABLE_PAUSE
        try:
            if now - due > GRACE:
                last = now if cron.end_time is None else min(now, cron.end_time)
                due = read_schedule(cron.schedule, cron.timezone).latest_until(due, last)
            following = next_due(cron, due)
            if cron.unreadable is not None:
                return Firing(cron, due, following, None, cron.unreadable)
            if isinstance(assistant, RunyardError):
                return Firing(cron, due, following, None, assistant.detail)
            return Firing(cron, due, following, new_cron_run(cron, assistant, self._rules))
        except RunyardError as error:
            return Firing(cron, due, following, None, error.detail)
        except Exception as error:
            logger.error("cron %s cannot make its run", cron.cron_id, exc_info=error)
            return Firing(cron, due, following, None, "it met a defect of the server's")

    def _tell(self, fired: Fired) -> None:
        firing, inserted = fired.firing, fired.inserted
        if inserted is None:
            self._count("refused")
            logger.warning("cron %s was due and made no run: %s", firing.cron.cron_id, fired.refusal)
            return
        self._count("fired" if firing.due == firing.cron.next_due else "late")
        self._workers.wake(inserted.ready)
        if inserted.cancelled.ended or inserted.cancelled.requested:
            rollback = inserted.runs[0].multitask_strategy == "rollback"
            self._broker.announce_cancellation(inserted.cancelled, "rollback" if rollback else "interrupt")


def _timed_anew(cron: StoredCron, time: int) -> StoredCron:
    try:
        return timed(cron, time)
    except RunyardError:  # its schedule cannot be read: see when it is due
        return replace(cron, timed_at=time)
