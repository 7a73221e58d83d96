"""Drives several visitors at once until told to stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

from scripts.chaos_suite.client import Client
from scripts.chaos_suite.scenarios import SCENARIOS, Scenario
from scripts.chaos_suite.stories import Evidence
from scripts.chaos_suite.visitor import Visitor

VISITORS = 8
_FINISH = 90.0  # seconds that the last scenarios have to come to their ends


class Load:
    """The visitors of one round. `counts` says how many scenarios of each kind came to their end."""

    def __init__(self, client: Client, evidence: Evidence, *, seed: str, hook: str) -> None:
        self.counts: Counter[str] = Counter()
        self._stopping = asyncio.Event()
        self._tasks = [
            asyncio.create_task(
                self._visit(Visitor(client, evidence, Random(f"{seed}/{number}"), f"{seed}.{number}", hook))
            )
            for number in range(VISITORS)
        ]

    async def finish(self) -> None:
        """Begins nothing new, and returns when what was begun is done. Raises what a visitor stumbled over."""
        self._stopping.set()
        _, unfinished = await asyncio.wait(self._tasks, timeout=_FINISH)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in self._tasks:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _visit(self, visitor: Visitor) -> None:
        weights = [weight for _, weight in SCENARIOS]
        while not self._stopping.is_set():
            scenario: Scenario = visitor.rng.choices([scenario for scenario, _ in SCENARIOS], weights)[0]
            await scenario(visitor)
            self.counts[scenario.__name__] += 1
            await visitor.pause(0.3)
