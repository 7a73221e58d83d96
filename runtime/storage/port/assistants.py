"""Assistants with all their versions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.threads import DeletedThreads, IfExists

AssistantChange = Callable[[Assistant], Assistant]
"""What a patch makes of an assistant; called within the transaction, so it must be quick and have no effects."""


class DefaultAssistant(NamedTuple):
    """The assistant that a graph has without anybody making one."""

    assistant_id: str
    graph_id: str
    name: str
    description: str | None


class AssistantDeletion(NamedTuple):
    """What one step of a deletion did: `finished` says that the assistant itself was deleted."""

    finished: bool
    removed: DeletedThreads


class AssistantStorage(Protocol):
    """Assistants with all their versions."""

    async def ensure_system(self, assistants: Sequence[DefaultAssistant]) -> None:
        """Makes those default assistants that are missing, and renews the description of those that nobody has
        changed. Others, of graphs that are no longer served, stay."""

    async def get(self, scope: Scope, assistant_id: str) -> Assistant | None:
        """The latest version; None when there is no such assistant."""

    async def seen(self, scope: Scope, assistant_id: str) -> Assistant | None:
        """As `get`, but maybe as it was a moment ago, for a run that is made of it: it says so with `NewRun.seen_at`,
        and is refused where the assistant has changed."""

    async def search(
        self, scope: Scope, request: AssistantSearchRequest, *, limit: int, offset: int
    ) -> list[Assistant]:
        """The latest versions that match, in the order that was asked for; without one, the newest first."""

    async def count(self, scope: Scope, request: AssistantCountRequest) -> int:
        """How many assistants match."""

    async def versions(
        self, scope: Scope, assistant_id: str, request: AssistantVersionsSearchRequest
    ) -> list[Assistant] | None:
        """The versions that match, newest first; `created_at` is that of the version. None when there is no such
        assistant."""

    async def create(self, scope: Scope, assistant: Assistant, if_exists: IfExists) -> Assistant:
        """Version 1, or the existing assistant as it is; version and times come from storage. Raises Conflict when
        it exists and `if_exists` is `raise`."""

    async def change(self, scope: Scope, assistant_id: str, change: AssistantChange) -> Assistant | None:
        """Writes what `change` makes of the latest version as the next one, and returns it. None when there is no
        such assistant. Raises what `change` raises, and nothing is written then."""

    async def set_latest(self, scope: Scope, assistant_id: str, version: int) -> Assistant | None:
        """Makes an older version the one that counts, and returns it. None when there is no such assistant; raises
        NotFound when it has no such version."""

    async def delete(
        self, scope: Scope, assistant_id: str, *, threads: int, renewed: DefaultAssistant | None = None
    ) -> AssistantDeletion | None:
        """Deletes up to `threads` threads of the assistant (0: leaves them), and then, when there are no more, the
        assistant itself with its crons; `renewed` is made in its place, and has its crons. Which threads there are is
        up to `scope.of("threads")`. None when there is no such assistant."""
