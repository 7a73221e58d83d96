"""What clients do again, or elsewhere: requests with a key, sent until they are answered, and streams of runs that
another request has begun."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from scripts.chaos_suite.reading import MODES, follow
from scripts.chaos_suite.stories import KeyStory, StreamStory
from scripts.chaos_suite.visitor import STREAM_SECONDS, Visitor

_AT_ONCE = 4
_INSIST_SECONDS = 40.0
_UNDER_WAY = 409


async def insisting(visitor: Visitor) -> None:
    """Several senders of one request with a key, each of which sends it until it is answered."""
    thread_id = await visitor.thread()
    if thread_id is None:
        return
    story = KeyStory(key=str(uuid.uuid4()), thread_id=thread_id)
    payload = visitor.payload("steps")
    visitor.evidence.threads[thread_id].uncertain = True  # until it is known which run there is
    answers = await asyncio.gather(*(_insist(visitor, thread_id, payload, story) for _ in range(_AT_ONCE)))
    runs = [answer for answer in answers if answer is not None]
    story.answers = [run["run_id"] for run in runs]
    visitor.evidence.keys.append(story)
    if runs:
        visitor.evidence.threads[thread_id].uncertain = False
        await visitor.join(visitor.accept(payload, runs[0]["run_id"], thread_id))
    there = await visitor.client.insist(f"/threads/{thread_id}/runs?limit=100")
    if there is not None and there.status_code == 200:
        story.there = len(there.json())


async def _insist(visitor: Visitor, thread_id: str, payload: dict[str, Any], story: KeyStory) -> dict[str, Any] | None:
    """The run that it was answered; None when it was not in time."""
    end = time.monotonic() + _INSIST_SECONDS
    while time.monotonic() < end:
        path, headers = f"/threads/{thread_id}/runs", {"Idempotency-Key": story.key}
        answer = await visitor.client.ask("POST", path, payload, headers)
        if answer is not None and answer.status_code == 200:
            run: dict[str, Any] = answer.json()
            return run
        if answer is not None and answer.status_code != _UNDER_WAY:
            story.refusals.append(f"{answer.status_code}: {answer.text[:200]}")
            return None
        await visitor.pause(0.3)
    return None


async def following(visitor: Visitor) -> None:
    """A resumable run that one server has accepted is followed from its beginning at whichever server's turn it is."""
    thread_id = await visitor.thread()
    if thread_id is None:
        return
    payload = visitor.payload(visitor.rng.choice(["steps", "stubborn"]), stream_mode=MODES, stream_resumable=True)
    run = await visitor.create(thread_id, payload)
    if run is not None:
        await visitor.pause(0.5)
        place = f"/threads/{thread_id}/runs/{run.run_id}"
        story = StreamStory(run_id=run.run_id, how=f"GET {place}/stream", replayed=True)
        visitor.evidence.streams.append(story)
        await follow(visitor.client, story, place, until=time.monotonic() + STREAM_SECONDS)
