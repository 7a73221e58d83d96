"""Two processes that do something to the same run at the same moment, again and again."""

from __future__ import annotations

import asyncio
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage

from .making import claim, on_thread, put, put_thread, stateless

RACER = Path(__file__).with_name("racer.py")
SPREAD = 0.0015
"""Seconds by which one may be ahead of the other: enough for either to be first."""
ROUNDS = 24

Call = tuple[str, tuple[Any, ...], dict[str, Any]]
Outcome = tuple[Any, ...]


def call(name: str, *arguments: Any, **keywords: Any) -> Call:
    """An operation of storage, as "queue.claim"."""
    return name, arguments, keywords


class Racer:
    """The other end of racer.py."""

    def __init__(self, backend: str, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, RACER, backend, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def await_ready(self) -> None:
        """Returns once storage is open."""
        assert self._answer()[0] == "ready"

    def send(self, moment: float, *calls: Call) -> None:
        """Tells it what to do at that moment."""
        assert self.process.stdin is not None
        pickle.dump((moment, calls), self.process.stdin)
        self.process.stdin.flush()

    def outcomes(self) -> list[Outcome]:
        """What came of it."""
        return list(self._answer())

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return pickle.load(self.process.stdout)

    def close(self) -> None:
        """Lets it end, or ends it."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Track:
    """Two racers, and a handle of one's own on the same database."""

    storage: Storage
    racers: Sequence[Racer]

    def start(self, *lanes: Call, rng: random.Random) -> list[Outcome]:
        """One race: a lane for each racer; the outcomes in the order of the lanes."""
        moment = time.monotonic() + 0.003
        for racer, lane in zip(self.racers, lanes, strict=True):
            racer.send(moment + rng.uniform(0, SPREAD), lane)
        return [racer.outcomes()[0] for racer in self.racers]

    async def repeat(
        self, rounds: int, prepare: Callable[[], Awaitable[Any]], finish: Callable[..., Awaitable[str]]
    ) -> set[str]:
        """Races that begin with what `prepare` makes: a tuple that ends with the two calls. `finish` gets the rest of
        the tuple and the two outcomes, checks them, and names the winner. Answers all winners."""
        rng = random.Random(rounds)
        winners = set()
        for _ in range(rounds):
            *scene, left, right = await prepare()
            winners.add(await finish(*scene, *self.start(left, right, rng=rng)))
            await self._check()
            await self._clear()
        return winners

    async def _check(self) -> None:
        """Whoever won: threads and queue agree with the runs."""
        depth = await self.storage.queue.depth()
        runs = await self.storage.runs.cancellable(thread_id=None, run_ids=None, status="all")
        assert depth.ready + depth.waiting + depth.delayed + depth.running == len(runs)
        threads = {thread_id for thread_id, _ in runs}
        assert depth.ready + depth.running <= len(threads)
        assert depth.ready + depth.running + depth.delayed >= len(threads), "a run waits for nothing"
        for thread_id in threads:
            thread = await self.storage.threads.get(thread_id)
            assert thread is not None
            assert thread.status == "busy"

    async def _clear(self) -> None:
        for thread_id, run_id in await self.storage.runs.cancellable(thread_id=None, run_ids=None, status="all"):
            await self.storage.runs.delete(thread_id, run_id)


def lost(outcome: Outcome) -> bool:
    return outcome[:2] == ("raised", LeaseLost)


def done(outcome: Outcome) -> Any:
    assert outcome[0] == "done", outcome
    return outcome[1]


def claiming(worker: str, limit: int = 5) -> Call:
    return call("queue.claim", worker, limit=limit, interactive=limit)


def cancelling(draft: NewRun, action: str = "interrupt") -> Call:
    return call("runs.cancel", [(draft.thread_id, draft.run_id)], action)


async def running(track: Track, **changes: Any) -> tuple[NewRun, Lease]:
    draft = await put(track.storage, stateless(**changes))
    return draft, (await claim(track.storage, "worker", draft)).lease


def inserting(thread_id: str, strategy: str, **changes: Any) -> tuple[NewRun, Call]:
    draft = on_thread(thread_id, strategy=strategy, **changes)
    return draft, call("runs.insert", [draft])


async def due(track: Track) -> NewRun:
    draft = await put(track.storage, on_thread(await put_thread(track.storage), delay=0.0005))
    await asyncio.sleep(0.001)
    return draft
