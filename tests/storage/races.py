"""Two processes that do something to the same run at the same moment, again and again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import FinishRequest, FinishResult, Lease, LeasedRun
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, InsertResult, NewRun, RunRef
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.workers import ReapResult

from .builders import claim, idle_thread, insert, on_thread, ref, stateless
from .calls import Call, Done, Outcome, Raised, call
from .processes import kill, start
from .racer import take_part

SPREAD = 0.0015
"""Seconds by which one may be ahead of the other: enough for either to be first."""
ROUNDS = 24
WIDER = 8
"""How often that is doubled, for as many rounds again, where one has always been first: on a busy machine, and where
one decides at its beginning and the other at its end. It ends as soon as both have been first."""

S = TypeVar("S")
L = TypeVar("L")
R = TypeVar("R")


class Racer:
    """The other end of racer.py."""

    def __init__(self, backend: str, directory: Path) -> None:
        self.process, self._connection = start(take_part, backend, directory)

    def await_ready(self) -> None:
        """Returns once storage is open."""
        assert self._connection.recv() == "ready"

    def send(self, moment: float, *calls: Call[Any]) -> None:
        """Tells it what to do at that moment."""
        self._connection.send((moment, [(one.path, one.arguments, one.keywords) for one in calls]))

    def outcomes(self) -> list[Outcome[Any]]:
        """What came of it."""
        return [Done(*rest) if kind == "done" else Raised(*rest) for kind, *rest in self._connection.recv()]

    def kill(self) -> None:
        """Ends it at once, whatever it does."""
        kill(self.process)
        self._connection.close()

    def close(self) -> None:
        """Lets it end, or ends it."""
        self._connection.close()
        self.process.join(10)
        if self.process.exitcode is None:
            kill(self.process)


@dataclass(frozen=True)
class Race(Generic[S, L, R]):
    """Two calls that are made at the same moment. `scene` is what they concern."""

    scene: S
    left: Call[L]
    right: Call[R]


@dataclass(frozen=True)
class Track:
    """Two racers, and a handle of one's own on the same database."""

    storage: Storage
    racers: Sequence[Racer]

    async def repeat(
        self,
        rounds: int,
        prepare: Callable[[], Awaitable[Race[S, L, R]]],
        judge: Callable[[S, Outcome[L], Outcome[R]], Awaitable[str]],
    ) -> set[str]:
        """Races that `prepare` sets up. `judge` gets the scene and the two outcomes, checks them, and names the
        winner. Returns all winners."""
        rng = random.Random(rounds)
        winners = set[str]()
        for number in range(rounds * (1 + WIDER)):
            if number >= rounds and len(winners) > 1:
                break
            race = await prepare()
            left, right = self._start(race, rng, SPREAD * 2.0 ** (number // rounds))
            winners.add(await judge(race.scene, left, right))
            await self._check()
            await self._clear()
        return winners

    def _start(self, race: Race[S, L, R], rng: random.Random, spread: float) -> tuple[Outcome[L], Outcome[R]]:
        moment = time.monotonic() + 0.003
        calls: tuple[Call[Any], Call[Any]] = (race.left, race.right)
        for racer, theirs in zip(self.racers, calls, strict=True):
            racer.send(moment + rng.uniform(0, spread), theirs)
        (left,), (right,) = (racer.outcomes() for racer in self.racers)
        return left, right

    async def _check(self) -> None:
        """Whoever won: threads and queue agree with the runs."""
        depth = await self.storage.queue.depth()
        runs = await self._active()
        assert depth.ready + depth.waiting + depth.delayed + depth.running == len(runs)
        threads = {run.thread_id for run in runs}
        assert depth.ready + depth.running <= len(threads)
        assert depth.ready + depth.running + depth.delayed >= len(threads), "a run waits for nothing"
        for thread_id in threads:
            thread = await self.storage.threads.get(Scope.everything(), thread_id)
            assert thread is not None
            assert thread.status == "busy"

    async def _active(self) -> list[RunRef]:
        return (
            await self.storage.runs.cancellable(
                Scope.everything(), thread_id=None, run_ids=None, status="all", limit=1000
            )
        ).runs

    async def _clear(self) -> None:
        for run in await self._active():
            await self.storage.runs.delete(Scope.everything(), run.thread_id, run.run_id)


# What many races are made of.


async def running(track: Track, **changes: Any) -> tuple[NewRun, Lease]:
    """A run that a worker holds."""
    new_run = await insert(track.storage, stateless(**changes))
    return new_run, (await claim(track.storage, "worker", new_run)).lease


async def due(track: Track) -> NewRun:
    """A delayed run whose time has come."""
    new_run = await insert(track.storage, on_thread(await idle_thread(track.storage), delay=0.0005))
    await asyncio.sleep(0.001)
    return new_run


def claiming(worker: str, limit: int = 5) -> Call[list[LeasedRun]]:
    return call(lambda storage: storage.queue.claim, worker, limit=limit, interactive=limit)


def cancelling(new_run: NewRun, action: CancelAction = "interrupt") -> Call[CancelResult]:
    return call(lambda storage: storage.runs.cancel, Scope.everything(), [ref(new_run)], action)


def finishing(request: FinishRequest) -> Call[FinishResult]:
    return call(lambda storage: storage.queue.finish, request)


def reaping(max_attempts: int = 3) -> Call[ReapResult]:
    return call(lambda storage: storage.workers.reap, "worker", max_attempts=max_attempts)


def inserting(new_run: NewRun) -> Call[InsertResult]:
    return call(lambda storage: storage.runs.insert, Scope.everything(), [new_run])
