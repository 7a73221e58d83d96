"""One client of the disturbed servers, and what it notes of what it was told."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from random import Random
from typing import Any

from scripts.chaos_suite.client import Client
from scripts.chaos_suite.plain import expected
from scripts.chaos_suite.stories import Certainty, Evidence, RunStory, Stop, ThreadStory

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
