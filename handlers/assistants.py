"""Operations on assistants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runyard.generated.models import AssistantSearchRequest
from runyard.handlers.partial import paging_headers, selected
from runyard.handlers.replies import Reply, json_answer

if TYPE_CHECKING:
    from runyard.runtime.assistants import Assistants


class AssistantHandlers:
    """The operations with the tag Assistants."""

    def __init__(self, assistants: Assistants) -> None:
        self.assistants = assistants

    async def search(self, body: AssistantSearchRequest) -> Reply:
        """POST /assistants/search"""
        page = await self.assistants.search(body)
        return json_answer(selected(page.items, body.select), headers=paging_headers(page))

    async def get(self, assistant_id: str) -> Reply:
        """GET /assistants/{assistant_id}"""
        return json_answer(await self.assistants.get(assistant_id))
