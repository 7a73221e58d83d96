"""What clients do while the server is disturbed: each function is one small story, and notes what it was told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from scripts.chaos_suite.plain import expected_after
from scripts.chaos_suite.reading import MODES, read_plain, read_with_sdk
from scripts.chaos_suite.repeating import following, insisting
from scripts.chaos_suite.stories import BatchStory, CronStory, RunStory, Stop
from scripts.chaos_suite.storing import storing
from scripts.chaos_suite.telling import watching
from scripts.chaos_suite.visitor import STREAM_SECONDS, Visitor

BATCH, BULK = 12, 60
"""Runs of a batch, and of one that keeps all workers busy for a while."""


async def batch(visitor: Visitor) -> None:
    """A batch, of which every second run is temporary; a part of it is joined."""
    rng, name, size = visitor.rng, visitor.tag(), BATCH if visitor.rng.random() < 0.8 else BULK
    payloads = [
        visitor.payload(
            on_completion="keep" if number % 2 else "delete",
            metadata={"chaos_batch": name},
        )
        for number in range(size)
    ]
    answer = await visitor.client.ask("POST", "/runs/batch", payloads)
    if answer is None:
        visitor.evidence.batches[name] = (len(payloads) // 2, -1)  # threads of temporary runs may be gone already
        return
    if answer.status_code == 200:
        stories = [
            visitor.accept(payload, run["run_id"], run["thread_id"])
            for payload, run in zip(payloads, answer.json(), strict=True)
        ]
        runs = [story.run_id for story in stories]
        visitor.evidence.counted.append(BatchStory(batch_id=answer.headers["x-batch-id"], runs=runs))
        await asyncio.gather(*(visitor.join(story) for story in stories if story.temporary or rng.random() < 0.3))


async def waiting(visitor: Visitor) -> None:
    """A stateless run that a client waits for; when the answer breaks off it joins."""
    payload = visitor.payload(on_completion=visitor.rng.choice(["keep", "delete"]))
    read = await read_wait(visitor, "/runs/wait", payload)
    if read is not None and read.answer is None:
        await visitor.join(read)


async def read_wait(visitor: Visitor, path: str, payload: dict[str, Any]) -> RunStory | None:
    """POSTs a run to wait for; None when it was not accepted, as far as one can know."""
    story: RunStory | None = None
    try:
        async with visitor.client.stream("POST", path, payload) as response:
            if response.status_code != 200:
                await response.aread()
                visitor.client.judged(response, "POST", path)
                return None
            _, _, thread_id, _, run_id = response.headers["content-location"].split("/")
            story = visitor.accept(payload, run_id, thread_id, awaited=True)
            await response.aread()
            story.answer = response.json()
            story.tell_end(time.monotonic())
    except (httpx.HTTPError, ValueError):
        pass  # broken off: what it says by then is not whole
    return story


async def streaming(visitor: Visitor) -> None:
    """A stream read to its end: resumable or not, by plain HTTP or with the stock client, on a thread or not."""
    rng = visitor.rng
    resumable = rng.random() < 0.6
    graph = rng.choice(["steps", "steps", "stubborn", "failing"])
    payload = visitor.payload(graph, stream_mode=MODES, stream_resumable=resumable, on_completion="keep")
    thread_id = await visitor.thread() if rng.random() < 0.5 else None
    if thread_id is not None:
        del payload["on_completion"]  # a field of stateless runs

    accepted: list[RunStory] = []

    def started(location: str) -> None:
        accepted.append(visitor.accept(payload, location.rpartition("/")[2], thread_id or "", awaited=True))

    if resumable and rng.random() < 0.4:
        story = await read_with_sdk(visitor.client, thread_id, graph, payload, within=STREAM_SECONDS, started=started)
    else:
        path = f"/threads/{thread_id}/runs/stream" if thread_id else "/runs/stream"
        story = await read_plain(
            visitor.client, path, payload, resume=resumable, within=STREAM_SECONDS, started=started
        )
    if story is not None:
        visitor.evidence.streams.append(story)
    for run in accepted:
        if not run.thread_id:
            await visitor.find_thread(run)


async def cancelling(visitor: Visitor) -> None:
    """A run on a thread with a history is stopped at a random moment, in one way or the other."""
    rng = visitor.rng
    thread_id = await visitor.thread()
    if thread_id is None:
        return
    if rng.random() < 0.7 and (earlier := await visitor.create(thread_id, visitor.payload("steps", steps=1))):
        await visitor.join(earlier)
    story = await visitor.create(thread_id, visitor.payload(rng.choice(["steps", "stubborn", "blocking"])))
    if story is not None:
        await visitor.pause(0.6)
        await visitor.stop(story, rollback=rng.random() < 0.5, wait=rng.random() < 0.5)


async def double_texting(visitor: Visitor) -> None:
    """Two or three runs on one thread, with random multitask strategies."""
    rng = visitor.rng
    thread_id = await visitor.thread()
    if thread_id is None:
        return
    earlier: list[RunStory] = []
    for _ in range(rng.choice([2, 3])):
        strategy = rng.choice(["enqueue", "interrupt", "rollback", "reject"])
        payload = visitor.payload(rng.choice(["steps", "steps", "stubborn"]), multitask_strategy=strategy)
        story = await visitor.create(thread_id, payload)
        if strategy in ("interrupt", "rollback"):
            for other in earlier:
                other.stops.append(
                    Stop(
                        rollback=strategy == "rollback",
                        certainty="unknown",
                        answered=time.monotonic(),
                        how=f"multitask_strategy {strategy}",
                        by_run=None if story is None else story.run_id,
                    )
                )
        if story is not None:
            earlier.append(story)
        await visitor.pause(0.5)
    if earlier:
        await visitor.join(earlier[-1])


async def answering(visitor: Visitor) -> None:
    """A run asks, a person answers; sometimes the answer is stopped or taken back."""
    rng = visitor.rng
    thread_id = await visitor.thread()
    if thread_id is None:
        return
    payload = visitor.payload("asking")
    asked = await visitor.create(thread_id, payload)
    if asked is None:
        return
    await visitor.join(asked)
    if asked.answer is None:
        return
    words = rng.choice(["yes", "no"])
    body = {"assistant_id": "asking", "command": {"resume": words}, "durability": payload["durability"]}
    answer = await visitor.client.ask("POST", f"/threads/{thread_id}/runs", body)
    if answer is None:
        visitor.evidence.threads[thread_id].uncertain = True
    if answer is None or answer.status_code != 200:
        return
    resumed = visitor.accept(
        {**body, "input": payload["input"]},
        answer.json()["run_id"],
        thread_id,
        asks=False,
        before=asked.expected,
        expected=expected_after("asking", asked.tag, payload["input"]["steps"], words),
    )
    if rng.random() < 0.5:
        await visitor.pause(0.3)
        await visitor.stop(resumed, rollback=rng.random() < 0.7, wait=rng.random() < 0.5)
    else:
        await visitor.join(resumed)


async def deleting(visitor: Visitor) -> None:
    """A thread is deleted while a run of it is under way, or waits."""
    thread_id = await visitor.thread()
    if thread_id is None or await visitor.create(thread_id, visitor.payload()) is None:
        return
    await visitor.pause(0.5)
    thread = visitor.evidence.threads[thread_id]
    answer = await visitor.client.ask("DELETE", f"/threads/{thread_id}")
    if answer is None:
        thread.maybe_deleted = True
    elif answer.status_code < 300:
        thread.deleted = time.monotonic()


async def scheduling(visitor: Visitor) -> None:
    """A cron makes a run each second for a while; the client waits until that is over."""
    payload = visitor.payload("steps", steps=1, on_run_completed="keep", schedule="* * * * * *")
    last = int(time.time()) + visitor.rng.choice([4, 8])
    payload["end_time"] = datetime.fromtimestamp(last, UTC).isoformat()
    payload.pop("webhook", None)
    answer = await visitor.client.ask("POST", "/runs/crons", payload)
    if answer is None or answer.status_code != 200:
        return
    cron, given = answer.json(), payload["input"]
    if cron["next_run_date"] is not None:
        visitor.evidence.crons.append(
            CronStory(
                cron_id=cron["cron_id"],
                tag=given["tag"],
                steps=given["steps"],
                first=round(datetime.fromisoformat(cron["next_run_date"]).timestamp()),
                last=last,
                created=time.monotonic(),
            )
        )
    await asyncio.sleep(max(0.0, last - time.time()))


Scenario = Callable[[Visitor], Awaitable[None]]
SCENARIOS: tuple[tuple[Scenario, int], ...] = (
    (batch, 2),
    (waiting, 2),
    (streaming, 5),
    (cancelling, 4),
    (double_texting, 3),
    (answering, 3),
    (deleting, 1),
    (scheduling, 1),
    (insisting, 2),
    (following, 3),
    (watching, 2),
    (storing, 1),
)
"""Each with its weight."""
