"""Whether other server processes have taken in what this one has said."""

from __future__ import annotations

import asyncio
import contextlib
import time
from itertools import count

from runyard.runtime.bus.peers.membership import Membership
from runyard.runtime.bus.peers.messages import Confirm

LONGEST_WAIT = 0.5
"""Seconds for which an answer is waited for: a process that gives none by then has ended, or says anew what it knows
once it is heard again."""


class Confirmations:
    """Those that are waited for."""

    def __init__(self, membership: Membership) -> None:
        self._here = membership
        self._numbers = count(1)
        self._waiting: dict[int, tuple[set[str], asyncio.Event]] = {}

    async def wait(self) -> None:
        """Returns when all others that have workers have taken in what was said until now, or seem not to."""
        others = {*self._here.servers.at_work(time.monotonic())}
        if not others:
            return
        number, answered = next(self._numbers), asyncio.Event()
        self._waiting[number] = others, answered
        self._here.say(None, Confirm(number))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_WAIT):
                    await answered.wait()
        finally:
            del self._waiting[number]

    def answered(self, address: str, number: int) -> None:
        """That process has."""
        others, answered = self._waiting.get(number, (set(), asyncio.Event()))
        others.discard(address)
        if not others:
            answered.set()
