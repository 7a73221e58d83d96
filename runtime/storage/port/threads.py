"""The part of the contract of storage that concerns threads and assistants; see `port`."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
    Thread,
    ThreadCountRequest,
    ThreadSearchRequest,
)
from runyard.generated.models import ThreadStorage as ThreadSizes
from runyard.runtime.storage.port.thread_records import (
    AssistantChange,
    ChannelReader,
    Expiry,
    IfExists,
    KeptCheckpoint,
    Removed,
    StateEdit,
    ThreadDraft,
)


class ThreadStorage(Protocol):
    """Threads without their checkpoints, and the edits that concern both."""

    async def get(self, thread_id: str) -> Thread | None: ...

    async def values(self, thread_id: str) -> bytes | None:
        """The latest values as JSON; None when there are none, or no thread."""

    async def graph_ids(self, thread_id: str) -> list[str] | None:
        """The graphs whose state the thread may hold, the likeliest first: the one that its metadata names,
        that of its latest run. None when there is no thread."""

    async def search(self, request: ThreadSearchRequest, *, limit: int, offset: int) -> list[Thread]:
        """`extract` is left to the caller; `values` may be missing where neither that nor `select` needs them."""

    async def count(self, request: ThreadCountRequest) -> int: ...

    async def usage(self, thread_id: str, read: ChannelReader) -> ThreadSizes | None:
        """What the thread takes up, in rows and bytes of packed values."""

    async def create(self, draft: ThreadDraft, if_exists: IfExists) -> Thread:
        """The new thread, its state included, or the existing one as it is. Raises Conflict."""

    async def patch(self, thread_id: str, metadata: Mapping[str, Any] | None, expiry: Expiry | None) -> Thread | None:
        """Merges metadata at its top level; None changes nothing."""

    async def delete(self, thread_ids: Sequence[str]) -> Removed:
        """Deletes the threads with runs, events and checkpoints; runs under way lose their lease."""

    async def copy(self, source: str, target: str) -> Thread | None:
        """A new thread with metadata, state and history of another one, as they are before its runs under way."""

    async def edit_state(self, thread_id: str, edit: StateEdit) -> None:
        """Raises NotFound, or Conflict when runs are under way or the thread is not as the edit found it."""

    async def keep_latest(self, thread_id: str, base: str, kept: Sequence[KeptCheckpoint]) -> bool:
        """Deletes all checkpoints but those; False when runs are under way or `base` is not the latest any more."""

    async def delete_expired(self, limit: int) -> Removed:
        """Deletes resting threads whose time is over and which are to go then."""

    async def history_expired(self, limit: int) -> list[str]:
        """Resting threads whose time is over and whose history is to go then."""


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

    async def delete(self, assistant_id: str, *, threads: int) -> tuple[bool, Removed] | None:
        """Deletes up to `threads` threads of the assistant (0: leaves them), and then, when there are no more,
        the assistant itself: True. None when there is no such assistant."""
