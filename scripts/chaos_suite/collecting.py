"""Waits until everything is quiet, and collects what the API shows then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from scripts.chaos_suite.client import Client
from scripts.chaos_suite.databases import Database
from scripts.chaos_suite.plain import expected
from scripts.chaos_suite.stories import BatchStory, Evidence, FoundRun, FoundThread, RunStory, ThreadStory

QUIET_SECONDS = 60.0
"""Seconds after the last fault and the last request in which every accepted run has to come to its end."""
_COLLECT_SECONDS = 120.0
_AT_ONCE = 8


async def until(look: Callable[[], bool], seconds: float) -> bool:
    """Looks until the answer is true or the time is over; the last answer."""
    end = time.monotonic() + seconds
    while not (found := await asyncio.to_thread(look)) and time.monotonic() < end:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0.2)
    return found


async def await_quiet(database: Database) -> None:
    """Returns when no run is left, and no cron will make another one, or the time is over."""
    await until(database.quiet, QUIET_SECONDS)


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

    async def count(story: BatchStory) -> None:
        found = await get(f"/batches/{story.batch_id}")
        if found is not False:
            story.counts = {} if found is None else found["counts"]

    await asyncio.gather(*map(run, evidence.runs), *map(thread, evidence.threads.values()))
    await asyncio.gather(*map(count, evidence.counted))
    await asyncio.gather(*(batch(name, sent) for name, (sent, _) in list(evidence.batches.items())))
