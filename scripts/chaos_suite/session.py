"""A whole session: rounds of load under faults, each followed by quiet and by the checks."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeVar

from scripts.chaos_suite.checks import judge
from scripts.chaos_suite.checks.endings import ACTIVE
from scripts.chaos_suite.checks.executions import executed_after_the_round
from scripts.chaos_suite.checks.promises import recoveries
from scripts.chaos_suite.client import Client
from scripts.chaos_suite.cluster import Cluster
from scripts.chaos_suite.collecting import await_quiet, collect, collect_crons, until
from scripts.chaos_suite.faults import CLUSTER, SINGLE
from scripts.chaos_suite.faults.fault import Faults, Scene
from scripts.chaos_suite.load import Load
from scripts.chaos_suite.marks import MarkFiles
from scripts.chaos_suite.single import SingleServer
from scripts.chaos_suite.stories import Evidence, FaultStory, Finding, Webhook
from scripts.chaos_suite.storing import read_items
from scripts.chaos_suite.target import Target
from scripts.chaos_suite.telling import read_again
from scripts.chaos_suite.timeline import timeline
from tests.webhook_listener import WebhookListener

ROUND_SECONDS = 40.0
_SHORTEST_ROUND = 10.0
_WEBHOOK_SECONDS = 40.0  # a try that failed is repeated after 8 s at first
_WORKER_SECONDS = 30.0
_TIDIED_TOGETHER = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """minutes: of load and checks, without start and end. database: whether several servers on Postgres are disturbed,
    instead of one on SQLite. faults: by name. keep: where what was found is kept."""

    minutes: float
    seed: int
    database: bool
    faults: tuple[str, ...]
    keep: Path | None = None

    @property
    def possible(self) -> Faults:
        """What may strike such a target."""
        return CLUSTER if self.database else SINGLE


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of a round, with what happened around it, line by line."""

    round: int
    finding: Finding
    timeline: list[str]


@dataclass(slots=True)
class Outcome:
    """What a session did and found."""

    rounds: int = 0
    seconds: float = 0.0
    runs: int = 0
    marks: int = 0
    streams: int = 0
    webhooks: int = 0
    recoveries: list[float] = field(default_factory=list)
    """Seconds after the death of its worker in which each run was at work again, where that was judged."""
    rests: list[float] = field(default_factory=list)
    """Seconds that each round took to come to rest."""
    faults: dict[str, int] = field(default_factory=dict)
    scenarios: dict[str, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Tell = Callable[[str], None]
T = TypeVar("T")


async def run_session(options: Options, tell: Tell, outcome: Outcome) -> None:
    """Fills the outcome as it goes on, so that an interrupted session has one too."""
    with tempfile.TemporaryDirectory(prefix="runyard-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        target = (Cluster if options.database else SingleServer)(folder, clocks="clock" in options.faults)
        listener = WebhookListener()
        try:
            await _finished(target.start)
            await _Session(options, tell, outcome, target, listener).run()
            for text in await _finished(target.end):
                outcome.found.append(Found(outcome.rounds, Finding(kind="processes", text=text), []))
        except (AssertionError, subprocess.TimeoutExpired) as error:  # what was found before is told all the same
            text = f"the servers could not be started, and nothing more was tried: {str(error)[-500:]}"
            outcome.found.append(Found(outcome.rounds, Finding(kind="processes", text=text), []))
        finally:
            try:
                if options.keep is not None:
                    target.keep(options.keep)
            finally:
                target.close()
                listener.close()


async def _finished(function: Callable[..., T], *args: object) -> T:
    """What the function returns, in a thread. It comes to its end even if this is cancelled meanwhile: what it starts
    would else be left behind."""
    work = asyncio.create_task(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


class _Session:
    def __init__(
        self, options: Options, tell: Tell, outcome: Outcome, target: Target, listener: WebhookListener
    ) -> None:
        self._options = options
        self._tell = tell
        self._outcome = outcome
        self._target = target
        self._listener = listener
        self._marks = MarkFiles(target.marks)
        self._over: set[str] = set()
        """Runs of earlier rounds that were at their end."""
        self._tags: set[str] = set()
        """Of all rounds: a run whose acceptance nobody was told is not waited for, and may send its webhook later."""
        self._possible = options.possible
        scene = Scene(target, Random(options.seed))
        self._faults = []
        for name in options.faults:
            if missing := self._possible[name].missing(scene):
                outcome.notes.append(f"left out: {name} ({missing})")
            else:
                self._faults.append(name)

    async def run(self) -> None:
        begin = time.monotonic()
        end = begin + self._options.minutes * 60
        while not self._outcome.rounds or end - time.monotonic() > _SHORTEST_ROUND:
            seconds = max(min(ROUND_SECONDS, end - time.monotonic()), 1.0)
            await self._round(self._outcome.rounds + 1, seconds)
            self._outcome.seconds = time.monotonic() - begin

    async def _round(self, number: int, seconds: float) -> None:
        evidence, client = Evidence(tags=self._tags), Client(self._target.urls)
        seed = f"{self._options.seed}.{number}"
        try:
            load = Load(client, evidence, seed=seed, hook=self._listener.url)
            try:
                await self._disturb(Scene(self._target, Random(seed), evidence.deaths), evidence, seconds)
            finally:
                await load.finish()
            over = time.monotonic()
            healthy = await self._settle(evidence)
            self._outcome.rests.append(time.monotonic() - over)
            await collect_crons(client, evidence, self._target.database)
            await collect(client, evidence)
            await read_again(client, evidence)
            await read_items(client, evidence)
            evidence.marks = self._marks.new()
            evidence.failures += executed_after_the_round(evidence.marks, self._over)
            evidence.webhooks = self._webhooks()
            evidence.failures += client.failures
            evidence.failures += self._target.database.findings({run.run_id for run in evidence.runs})
            self._note(number, evidence, load)
            await self._tidy(client, evidence)
        finally:
            await client.close()
        if not healthy:  # the next round is to begin with a server that works
            await _finished(self._target.recover)

    async def _disturb(self, scene: Scene, evidence: Evidence, seconds: float) -> None:
        end = time.monotonic() + seconds
        weights = [self._possible[name].weight for name in self._faults]
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, scene.rng.uniform(0.5, 3.0)))
            for member in self._target.members:
                if not member.server.alive:
                    text = f"{member.name} ended by itself; its log ends with: {member.log_end()}"
                    evidence.failures.append(Finding(kind="processes", text=text))
                    await _finished(self._target.recover)
            if self._faults and time.monotonic() < end:
                await self._strike(scene.rng.choices(self._faults, weights)[0], scene, evidence)

    async def _strike(self, name: str, scene: Scene, evidence: Evidence) -> None:
        begin = time.monotonic()
        try:
            detail = await _finished(self._possible[name].strike, scene)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            detail = f"the server did not come back, or did not end: {str(error)[-500:]}"
            evidence.failures.append(Finding(kind="processes", text=f"{name}: {detail}"))
            await _finished(self._target.recover)
        self._outcome.faults[name] = self._outcome.faults.get(name, 0) + 1
        story = FaultStory(
            name=name, begin=begin, end=time.monotonic(), detail=detail, holds=self._possible[name].holds
        )
        evidence.faults.append(story)

    async def _settle(self, evidence: Evidence) -> bool:
        """Whether all workers are there in time, and all runs at their end."""
        database = self._target.database
        await await_quiet(database)
        wanted = {run.run_id for run in evidence.runs if run.webhook}
        await until(
            lambda: wanted <= {body["run_id"] for body in self._listener.bodies} or not database.deliveries(),
            _WEBHOOK_SECONDS,
        )
        target = self._target
        complete = await until(lambda: target.connected() >= target.workers, _WORKER_SECONDS)
        if not complete:
            text = f"fewer than {target.workers} workers connected {_WORKER_SECONDS:.0f} s after the last fault"
            evidence.failures.append(Finding(kind="processes", text=text))
        for member in target.members:
            for violation in member.server.violations():
                evidence.failures.append(Finding(kind="answer", text=violation))
        return complete and not database.active()

    def _webhooks(self) -> list[Webhook]:
        bodies, self._listener.bodies = self._listener.bodies, []
        self._listener.headers.clear()
        self._listener.unread.queue.clear()
        return [
            Webhook(
                run_id=body["run_id"],
                tag=((body.get("kwargs") or {}).get("input") or {}).get("tag"),
                status=body["status"],
            )
            for body in bodies
        ]

    async def _tidy(self, client: Client, evidence: Evidence) -> None:
        """Deletes the threads of the round, so that an hour's data have place; those with a finding are kept."""
        told = {found.finding.thread_id for found in self._outcome.found}
        done = [thread_id for thread_id in evidence.threads if thread_id not in told]
        for start in range(0, len(done), _TIDIED_TOGETHER):
            await client.ask("POST", "/threads/prune", {"thread_ids": done[start : start + _TIDIED_TOGETHER]})
        self._over |= {run.run_id for run in evidence.runs if run.found and run.found.status not in ACTIVE}

    def _note(self, number: int, evidence: Evidence, load: Load) -> None:
        outcome, findings = self._outcome, judge(evidence)
        outcome.rounds = number
        outcome.runs += len(evidence.runs)
        outcome.marks += len(evidence.marks)
        outcome.streams += len(evidence.streams)
        outcome.webhooks += len(evidence.webhooks)
        outcome.recoveries += [seconds for seconds, _ in recoveries(evidence)]
        outcome.scenarios = dict(Counter(outcome.scenarios) + load.counts)
        outcome.found += [Found(number, finding, timeline(finding, evidence)) for finding in findings]
        kinds = ", ".join(f"{kind} {count}" for kind, count in Counter(f.kind for f in findings).items())
        faults = ", ".join(story.name for story in evidence.faults)
        self._tell(
            f"round {number}: {len(evidence.runs)} runs, faults: {faults or 'none'}; at rest after"
            f" {outcome.rests[-1]:.1f} s; found: {kinds or 'nothing'}"
        )
