"""Operations on threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runyard.generated.models import ThreadCountRequest, ThreadSearchRequest
from runyard.handlers.partial import paging_headers, thread_part
from runyard.handlers.replies import Reply, json_answer

if TYPE_CHECKING:
    from runyard.runtime.threads import Threads


class ThreadHandlers:
    """The operations with the tag Threads."""

    def __init__(self, threads: Threads) -> None:
        self.threads = threads

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

    async def get(self, thread_id: str, include: str | None) -> Reply:
        """GET /threads/{thread_id}"""
        return json_answer(thread_part(await self.threads.get(thread_id)))

    async def state(self, thread_id: str, subgraphs: bool | None) -> Reply:
        """GET /threads/{thread_id}/state"""
        return json_answer(await self.threads.state(thread_id, subgraphs=bool(subgraphs)))
