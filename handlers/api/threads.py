"""Operations on threads, but for their states and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runyard.generated.models import (
    ThreadCountRequest,
    ThreadCreate,
    ThreadPruneRequest,
    ThreadPruneResponse,
    ThreadSearchRequest,
)
from runyard.handlers.api.selection import paging_headers, thread_part
from runyard.handlers.http.event_stream import EventStream
from runyard.handlers.http.responses import Answer, Reply, json_answer

if TYPE_CHECKING:
    from runyard.runtime.services.runs import Runs
    from runyard.runtime.services.threads import Threads

_MINIMAL = "return=minimal"


class ThreadHandlers:
    """The operations with the tag Threads, but for those on states."""

    def __init__(self, threads: Threads, runs: Runs) -> None:
        self.threads = threads
        self.runs = runs

    async def create(self, body: ThreadCreate) -> Reply:
        """POST /threads"""
        return json_answer(thread_part(await self.threads.create(body)))

    async def search(self, body: ThreadSearchRequest) -> Reply:
        """POST /threads/search"""
        page = await self.threads.search(body)
        select: list[str] | None = None
        if body.select is not None:
            select = [*body.select, "extracted"] if body.extract else [*body.select]
        return json_answer([thread_part(thread, select) for thread in page.items], headers=paging_headers(page))

    async def count(self, body: ThreadCountRequest) -> Reply:
        """POST /threads/count"""
        return json_answer(await self.threads.count(body))

    async def prune(self, body: ThreadPruneRequest) -> Reply:
        """POST /threads/prune"""
        return json_answer(ThreadPruneResponse(pruned_count=await self.threads.prune(body)))

    async def get(self, thread_id: str, include: str | None) -> Reply:
        """GET /threads/{thread_id}"""
        thread = await self.threads.get(thread_id)
        return json_answer(thread_part(thread, include=(include or "").split(",")))

    async def patch(self, thread_id: str, body: dict[str, Any], prefer: str | None) -> Reply:
        """PATCH /threads/{thread_id}"""
        thread = await self.threads.patch(thread_id, body)
        if prefer is not None and _MINIMAL in (part.strip() for part in prefer.lower().split(",")):
            return Answer(204, headers=[(b"preference-applied", _MINIMAL.encode())])
        return json_answer(thread_part(thread))

    async def delete(self, thread_id: str) -> Reply:
        """DELETE /threads/{thread_id}"""
        await self.threads.delete(thread_id)
        return Answer(204)

    async def copy(self, thread_id: str) -> Reply:
        """POST /threads/{thread_id}/copy"""
        return json_answer(thread_part(await self.threads.copy(thread_id)))

    async def storage(self, thread_id: str) -> Reply:
        """GET /threads/{thread_id}/storage"""
        return json_answer(await self.threads.storage(thread_id))

    async def stream(
        self, thread_id: str, last_event_id: str | None, stream_modes: str | list[str], stream_mode: list[str] | None
    ) -> Reply:
        """GET /threads/{thread_id}/stream"""
        modes = stream_mode or ([stream_modes] if isinstance(stream_modes, str) else stream_modes)
        return EventStream(await self.runs.watch_thread(thread_id, last_event_id=last_event_id, modes=modes), [])
