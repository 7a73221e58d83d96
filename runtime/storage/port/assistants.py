"""Assistants with all their versions."""

from collections.abc import Callable, Sequence
from typing import Protocol

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.storage.port.threads import DeletedThreads, IfExists

AssistantChange = Callable[[Assistant], Assistant]
"""What a patch makes of an assistant; called within the transaction, so it must be quick and have no effects."""


class AssistantStorage(Protocol):
    """Assistants with all their versions."""

    async def ensure_system(self, graphs: Sequence[tuple[str, str, str | None]]) -> None:
        """Makes the default assistants: (assistant id, graph id, description)."""

    async def get(self, assistant_id: str) -> Assistant | None: ...

    async def search(self, request: AssistantSearchRequest, *, limit: int, offset: int) -> list[Assistant]: ...

    async def count(self, request: AssistantCountRequest) -> int: ...

    async def versions(self, assistant_id: str, request: AssistantVersionsSearchRequest) -> list[Assistant] | None:
        """Newest first; None when there is no such assistant. `created_at` is that of the version."""

    async def create(self, assistant: Assistant, if_exists: IfExists) -> Assistant:
        """Version 1, or the existing one as it is; version and times come from storage. Raises Conflict."""

    async def change(self, assistant_id: str, change: AssistantChange) -> Assistant | None:
        """Writes what `change` makes of the latest version as the next one."""

    async def set_latest(self, assistant_id: str, version: int) -> Assistant | None:
        """Makes an older version the one that counts. None for an unknown assistant, NotFound for a version."""

    async def delete(self, assistant_id: str, *, threads: int) -> tuple[bool, DeletedThreads] | None:
        """Deletes up to `threads` threads of the assistant (0: leaves them), and then, when there are no more,
        the assistant itself: True. None when there is no such assistant."""
