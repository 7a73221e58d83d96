"""Threads without their checkpoints, and the edits that concern both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, Protocol

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest
from runyard.generated.models import ThreadStorage as ThreadSizes
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey

IfExists = Literal["raise", "do_nothing"]

NO_METADATA: Final[Mapping[str, Any]] = MappingProxyType({})


class StoredChannel(NamedTuple):
    """A channel of a packed checkpoint: the version of its value, and how many of the checkpoint's bytes that takes
    (0: it is stored apart)."""

    version: str
    size: int


ChannelReader = Callable[[str, bytes], dict[str, StoredChannel]]
"""From the type and the data of a packed checkpoint to its channels by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEdit:
    """A state that somebody wrote, not a run.

    `rows` are its checkpoints and writes. `base` is the id of the thread's latest checkpoint that it was made
    from, "" for a thread without one; None: it names its checkpoint, so what is latest does not matter.
    `values` and `interrupts` are JSON for the thread; `paused` says that something is next.
    """

    rows: Sequence[CheckpointRow | WriteRow]
    base: str | None
    values: bytes | None
    interrupts: bytes
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReading:
    """What a thread should show, read from its checkpoints, where nobody wrote it when its latest run ended.

    `base` is the id of the latest checkpoint that it was read from, "" for a thread without one; None: nothing could
    be read, and the thread keeps what it shows. `values`, `interrupts` and `paused` as of a `StateEdit`.
    """

    base: str | None = None
    values: bytes | None = None
    interrupts: bytes | None = None
    paused: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewThread:
    """A thread to be made."""

    thread_id: str
    metadata: dict[str, Any]
    expiry: Expiry | None = None
    edit: StateEdit | None = None
    key: IdempotencyKey | None = None
    """The key under which it is made, or found."""


@dataclass(frozen=True, slots=True)
class DeletedThreads:
    """Threads that were deleted, and the runs under way that were deleted with them: workers and subscriptions have
    to be told."""

    threads: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """One step of removing what deleted threads had: whether more is left, and the runs under way that were removed in
    it, which have to be told."""

    more: bool
    runs: list[str] = field(default_factory=list)


class ThreadStorage(Protocol):
    """Threads without their checkpoints, and the edits that concern both."""

    async def get(self, scope: Scope, thread_id: str) -> Thread | None:
        """A thread with its latest values; None when it is not there."""

    async def values(self, scope: Scope, thread_id: str) -> bytes | None:
        """The latest values as JSON; None when there are none, or no thread."""

    async def graph_ids(self, scope: Scope, thread_id: str) -> list[str] | None:
        """The graphs whose state the thread may hold, the likeliest first: the one that its metadata names,
        that of its latest run. None when there is no thread."""

    async def search(self, scope: Scope, request: ThreadSearchRequest, *, limit: int, offset: int) -> list[Thread]:
        """The threads that match, in the order that was asked for; without one, the newest first. `extract` is left
        to the caller; `values` may be missing where neither that nor `select` needs them."""

    async def count(self, scope: Scope, request: ThreadCountRequest) -> int:
        """How many threads match."""

    async def usage(self, scope: Scope, thread_id: str, read: ChannelReader) -> ThreadSizes | None:
        """What the thread occupies, in rows and bytes of packed values; None when it is not there."""

    async def create(self, scope: Scope, new_thread: NewThread, if_exists: IfExists) -> Thread:
        """The new thread, its state included, or the existing one as it is. Raises Conflict when it exists and
        `if_exists` is `raise`, and KeyTaken."""

    async def patch(
        self, scope: Scope, thread_id: str, metadata: Mapping[str, Any] | None, expiry: Expiry | None
    ) -> Thread | None:
        """Merges metadata at its top level and sets the lifetime; None changes nothing. Returns the thread as it is
        then, None when it is not there."""

    async def delete(self, scope: Scope, thread_ids: Sequence[str]) -> DeletedThreads:
        """Deletes the threads with runs, events and checkpoints; runs under way lose their lease. Passes over
        threads that are not there. Of a large thread something may be left that nobody sees, for `remove_leftovers`."""

    async def remove_leftovers(self) -> Leftovers:
        """Removes some of what deleted threads have left behind."""

    async def copy(
        self,
        scope: Scope,
        source: str,
        target: str,
        expiry: Expiry | None = None,
        metadata: Mapping[str, Any] = NO_METADATA,
        key: IdempotencyKey | None = None,
    ) -> Thread | None:
        """A new thread with metadata, state and history of another one, as they are before its runs under way; its
        lifetime is `expiry`, and `metadata` comes to its own, or takes the place of it. None when there is no such
        thread. Raises KeyTaken."""

    async def edit_state(self, scope: Scope, thread_id: str, edit: StateEdit) -> None:
        """Writes a state. Raises NotFound, Conflict when runs are under way (delayed ones too), or StateChanged when
        the thread is not as the edit found it."""

    async def unsettled(self, limit: int, thread_id: str | None = None) -> list[str]:
        """Up to `limit` threads that do not show what their checkpoints hold, since a run ended without its worker,
        and that no run changes now; `thread_id`: that one, if it is such a thread."""

    async def settle(self, thread_id: str, reading: StateReading) -> bool:
        """Has such a thread show what was read. False when it need not any more, or has changed since."""

    async def keep_latest(self, scope: Scope, thread_id: str, base: str, kept: Sequence[KeptCheckpoint]) -> bool:
        """Deletes all checkpoints but those; False when runs are under way or `base` is not the latest any more."""

    async def delete_expired(self, limit: int) -> DeletedThreads:
        """Deletes up to `limit` threads without runs under way whose lifetime is over, if that is what it says."""

    async def history_expired(self, limit: int) -> list[str]:
        """Up to `limit` threads without runs under way whose lifetime is over, if it is their history that is to be
        dropped then. Not those that are postponed."""

    async def postpone_expiry(self, thread_id: str) -> None:
        """The history of the thread could not be dropped; `history_expired` names it again after a while, which is
        longer each time."""
