"""What clients do while the server is disturbed: each function is one small story, and notes what it was told."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx

from scripts.chaos_suite.client import Client
from scripts.chaos_suite.plain import expected, expected_after
from scripts.chaos_suite.reading import MODES, read_plain, read_with_sdk
from scripts.chaos_suite.stories import Certainty, CronStory, Evidence, RunStory, Stop, ThreadStory

BATCH = 12
STREAM_SECONDS = 60.0
"""Seconds after which a stream is left; its run is over long before, or lost."""


@dataclass(slots=True)
class Visitor:
    """One client with a random sequence of its own."""

    client: Client
    evidence: Evidence
    rng: Random
    name: str
    hook: str
    """Where webhooks are sent."""
    _count: int = 0

    def tag(self) -> str:
        self._count += 1
        tag = f"{self.name}.{self._count}"
        self.evidence.tags.add(tag)
        return tag

    def payload(self, graph: str | None = None, *, steps: int | None = None, **fields: Any) -> dict[str, Any]:
        """A run of the graph, or of any that asks nobody; its tag is in its input and its metadata."""
        rng, tag = self.rng, self.tag()
        graph = graph or rng.choice(["steps", "steps", "steps", "blocking", "stubborn", "failing", "delegating"])
        length = rng.choice([1, 3, 6]) if steps is None else steps
        return {
            "assistant_id": graph,
            "input": {"tag": tag, "steps": length, "delay": rng.choice([0.01, 0.05, 0.2])},
            "metadata": {"chaos": tag},
            "durability": rng.choice(["async", "async", "sync"]),
            **({"webhook": f"{self.hook}?{tag}"} if rng.random() < 0.3 else {}),
            **fields,
        }

    def accept(self, payload: dict[str, Any], run_id: str, thread_id: str, **changes: Any) -> RunStory:
        """Notes that a run was accepted."""
        graph, given = payload["assistant_id"], payload["input"]
        story = RunStory(
            run_id=run_id,
            thread_id=thread_id,
            tag=given["tag"],
            graph=graph,
            accepted=time.monotonic(),
            expected=expected(graph, given["tag"], given["steps"]),
            temporary=payload.get("on_completion") == "delete",
            synced=payload.get("durability") == "sync" and payload.get("on_completion") != "delete",
            webhook="webhook" in payload,
            asks=graph == "asking",
            fails=graph == "failing",
        )
        for name, value in changes.items():
            setattr(story, name, value)
        self.evidence.runs.append(story)
        if thread_id:
            self.evidence.threads.setdefault(thread_id, ThreadStory(thread_id=thread_id))
        return story

    async def find_thread(self, story: RunStory) -> None:
        """The thread of a stateless run whose stream named only the run."""
        answer = await self.client.insist(f"/runs/{story.run_id}")
        if answer is not None and answer.status_code == 200:
            story.thread_id = answer.json()["thread_id"]
            self.evidence.threads[story.thread_id] = ThreadStory(thread_id=story.thread_id)

    async def thread(self) -> str | None:
        """A new thread."""
        thread_id = str(uuid.uuid4())
        answer = await self.client.ask("POST", "/threads", {"thread_id": thread_id})
        if answer is None or answer.status_code != 200:
            return None
        self.evidence.threads[thread_id] = ThreadStory(thread_id=thread_id)
        return thread_id

    async def create(self, thread_id: str, payload: dict[str, Any], **changes: Any) -> RunStory | None:
        """A run in the background; None when it was not accepted, as far as one can know."""
        answer = await self.client.ask("POST", f"/threads/{thread_id}/runs", payload)
        if answer is None:
            self.evidence.threads[thread_id].uncertain = True
        if answer is None or answer.status_code != 200:
            return None
        return self.accept(payload, answer.json()["run_id"], thread_id, **changes)

    async def join(self, story: RunStory) -> None:
        """Waits for the end of the run, again and again when that breaks off."""
        answer = await self.client.insist(f"/threads/{story.thread_id}/runs/{story.run_id}/join")
        if answer is not None and answer.status_code == 200:
            story.answer = answer.json()
            story.tell_end(time.monotonic())

    async def stop(self, story: RunStory, *, rollback: bool, wait: bool) -> Stop | None:
        """Cancels the run; None when it had ended already."""
        action = "rollback" if rollback else "interrupt"
        path = f"/threads/{story.thread_id}/runs/{story.run_id}/cancel?action={action}&wait={str(wait).lower()}"
        answer = await self.client.ask("POST", path)
        if answer is not None and answer.status_code >= 400:
            return None
        certainty: Certainty = "unknown" if answer is None else "accepted"
        stop = Stop(rollback=rollback, certainty=certainty, answered=time.monotonic(), how=path.rpartition("/")[2])
        story.stops.append(stop)
        if answer is not None and answer.status_code == 200:
            story.tell_end(stop.answered)
        return stop

    async def pause(self, longest: float) -> None:
        await asyncio.sleep(self.rng.uniform(0.0, longest))


async def batch(visitor: Visitor) -> None:
    """A batch, of which every second run is temporary; a part of it is joined."""
    rng, name = visitor.rng, visitor.tag()
    payloads = [
        visitor.payload(
            on_completion="keep" if number % 2 else "delete",
            metadata={"chaos_batch": name},
        )
        for number in range(BATCH)
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
            story = visitor.accept(payload, run_id, thread_id)
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
        accepted.append(visitor.accept(payload, location.rpartition("/")[2], thread_id or ""))

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
)
"""Each with its weight."""
