"""Operations on runs that bring a thread of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runyard.generated.models import RunBatchCreate, RunCreateStateless, RunCreateStreamingStateless
from runyard.handlers.api.stream_modes import leaving, modes_of
from runyard.handlers.http.event_stream import EventStream
from runyard.handlers.http.json_wait import WaitingAnswer
from runyard.handlers.http.responses import Reply, json_answer, location

if TYPE_CHECKING:
    from runyard.runtime.services.runs import Runs


class RunHandlers:
    """The operations with the tag Stateless Runs."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs

    async def create(self, body: RunCreateStateless) -> Reply:
        """POST /runs"""
        run = await self.runs.create(body)
        return json_answer(run, headers=[location(b"content-location", f"/runs/{run.run_id}")])

    async def create_batch(self, body: RunBatchCreate) -> Reply:
        """POST /runs/batch"""
        return json_answer(await self.runs.create_batch(body))

    async def wait(self, body: RunCreateStreamingStateless) -> Reply:
        """POST /runs/wait"""
        run, pending = await self.runs.wait(body)
        path = f"/threads/{run.thread_id}/runs/{run.run_id}"
        headers = [location(b"location", f"{path}/join"), location(b"content-location", path)]
        return WaitingAnswer(pending, headers, leaving(self.runs, run, body.on_disconnect == "cancel"))

    async def stream(self, body: RunCreateStreamingStateless) -> Reply:
        """POST /runs/stream"""
        run, watch = await self.runs.stream(body)
        path = f"/runs/{run.run_id}"
        headers = [location(b"location", f"{path}/stream"), location(b"content-location", path)]
        return EventStream(watch, headers, leaving(self.runs, run, body.on_disconnect == "cancel"))

    async def find(self, run_id: str) -> Reply:
        """GET /runs/{run_id}"""
        return json_answer(await self.runs.find(run_id))

    async def watch(
        self, run_id: str, last_event_id: str | None, stream_mode: list[str] | None, cancel_on_disconnect: bool
    ) -> Reply:
        """GET /runs/{run_id}/stream"""
        on_gone = leaving(self.runs, await self.runs.find(run_id), True) if cancel_on_disconnect else None
        watch = await self.runs.watch_run(run_id, last_event_id=last_event_id, modes=modes_of(stream_mode))
        path = f"/runs/{run_id}"
        return EventStream(
            watch, [location(b"location", f"{path}/stream"), location(b"content-location", path)], on_gone
        )
