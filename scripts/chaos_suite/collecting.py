"""Waits until everything is quiet, and collects what the API and the database show then."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.chaos_suite.client import Client
from scripts.chaos_suite.plain import expected
from scripts.chaos_suite.stories import Evidence, Finding, FoundRun, FoundThread, RunStory, ThreadStory

QUIET_SECONDS = 60.0
"""Seconds after the last fault and the last request in which every accepted run has to come to its end."""
_COLLECT_SECONDS = 120.0
_AT_ONCE = 8
_ACTIVE = "select run_id, thread_id, status from runs where status in ('pending', 'running')"
_COMING = "select count(*) from crons where enabled and next_due is not null"
_STUCK = (
    "select thread_id from threads where status = 'busy' and thread_id not in"
    " (select thread_id from runs where status in ('pending', 'running'))"
)
_ORPHANS = (
    "select thread_id, count(*) from checkpoints where thread_id not in (select thread_id from threads) group by 1"
)


async def until(look: Callable[[], bool], seconds: float) -> bool:
    """Looks until the answer is true or the time is over; the last answer."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:  # noqa: ASYNC110 - other processes set no event
        await asyncio.sleep(0.2)
    return found


class Database:
    """What the database says, read from outside. What was found in it once is not told again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: set[str] = set()

    def _read(self, query: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query).fetchall()

    def active(self) -> list[tuple[Any, ...]]:
        """(run id, thread id, status) of the runs that are not at their end."""
        return [row for row in self._read(_ACTIVE) if row[0] not in self._told]

    async def await_quiet(self) -> None:
        """Returns when no run is left, and no cron will make another one, or the time is over."""
        await until(lambda: not self._read(_COMING)[0][0] and not self.active(), QUIET_SECONDS)

    def made(self, cron_id: str) -> list[tuple[int, str | None]]:
        """The moments of a cron, in seconds of the time of day, and the runs that were made, in order."""
        rows = self._read(f"select due, run_id from cron_firings where cron_id = '{cron_id}' order by due")
        return [(round(due / 1e6), run_id) for due, run_id in rows]

    def deliveries(self) -> int:
        """How many webhooks are still to be sent."""
        return int(self._read("select count(*) from deliveries")[0][0])

    def findings(self, known: set[str]) -> list[Finding]:
        """To be called when it is quiet. `known`: the runs whose stories are told, and judged by them."""
        findings = []
        for run_id, thread_id, status in self.active():
            self._told.add(run_id)
            if run_id not in known:
                text = f"a run whose acceptance nobody was told is still {status} long after everything was quiet"
                findings.append(Finding(kind="lost", text=text, run_id=run_id, thread_id=thread_id))
        for (thread_id,) in self._new(_STUCK):
            text = "busy in the database, though no run of it is pending or running"
            findings.append(Finding(kind="stuck", text=text, thread_id=thread_id))
        for thread_id, count in self._new(_ORPHANS):
            text = f"{count} checkpoints of a thread that is not there"
            findings.append(Finding(kind="database", text=text, thread_id=thread_id))
        for (said,) in self._read("pragma quick_check(5)"):
            if said != "ok":
                findings.append(Finding(kind="database", text=f"quick_check: {said}"))
        return findings

    def _new(self, query: str) -> list[tuple[Any, ...]]:
        """The rows whose first value was not told yet."""
        rows = [row for row in self._read(query) if row[0] not in self._told]
        self._told.update(row[0] for row in rows)
        return rows


async def collect_crons(client: Client, evidence: Evidence, database: Database) -> None:
    """Finds the runs that crons have made, which are judged as all others are. Before `collect`."""
    for cron in evidence.crons:
        body = {"metadata": {"cron_id": cron.cron_id}, "limit": 1000, "select": ["thread_id"]}
        threads = await client.ask("POST", "/threads/search", body)
        if threads is None or threads.status_code != 200:
            continue
        found: list[dict[str, Any]] = []
        for thread in threads.json():
            runs = await client.insist(f"/threads/{thread['thread_id']}/runs?limit=1000")
            if runs is None or runs.status_code != 200:
                break
            found += runs.json()
        else:
            cron.made = database.made(cron.cron_id)
            cron.runs = [run["run_id"] for run in found]
        for run in found:
            evidence.threads[run["thread_id"]] = ThreadStory(thread_id=run["thread_id"])
            evidence.runs.append(
                RunStory(
                    run_id=run["run_id"],
                    thread_id=run["thread_id"],
                    tag=cron.tag,
                    graph="steps",
                    accepted=cron.created,
                    expected=expected("steps", cron.tag, cron.steps),
                )
            )


async def collect(client: Client, evidence: Evidence) -> None:
    """Asks for each run, thread and state, and for the batches that broke off."""
    end = time.monotonic() + _COLLECT_SECONDS
    turns = asyncio.Semaphore(_AT_ONCE)

    async def get(path: str) -> Any:
        """The answer; False when there is none; None where it is 404, or the state cannot be read."""
        async with turns:
            response = await client.insist(path, within=max(0.0, end - time.monotonic()))
        if response is None:
            return False
        return response.json() if response.status_code == 200 else None

    async def run(story: RunStory) -> None:
        if not story.thread_id:
            return  # its stream was cut, and where it was is not known
        found = await get(f"/threads/{story.thread_id}/runs/{story.run_id}")
        if found is not False:
            story.found = FoundRun(status=None if found is None else found["status"])

    async def thread(story: ThreadStory) -> None:
        found = await get(f"/threads/{story.thread_id}")
        if found is False:
            return
        if found is None:
            story.found = FoundThread(status=None)
            return
        state = await get(f"/threads/{story.thread_id}/state")
        if state is not False:
            story.found = FoundThread(
                status=found["status"], values=found["values"], interrupts=found["interrupts"], state=state
            )

    async def batch(name: str, sent: int) -> None:
        body = {"metadata": {"chaos_batch": name}, "limit": 1000, "select": ["thread_id"]}
        response = await client.ask("POST", "/threads/search", body)
        if response is not None and response.status_code == 200:
            evidence.batches[name] = (sent, len(response.json()))
        else:
            del evidence.batches[name]

    await asyncio.gather(*map(run, evidence.runs), *map(thread, evidence.threads.values()))
    await asyncio.gather(*(batch(name, sent) for name, (sent, _) in list(evidence.batches.items())))
