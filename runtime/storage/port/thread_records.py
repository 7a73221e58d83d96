"""What goes into and comes out of storage when threads and assistants are edited."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from runyard.generated.models import Assistant
from runyard.runtime.storage.port.records import CheckpointRow, WriteRow

IfExists = Literal["raise", "do_nothing"]

AssistantChange = Callable[[Assistant], Assistant]
"""What a patch makes of an assistant; called within the transaction, so it must be quick and have no effects."""


ChannelReader = Callable[[str, bytes], dict[str, tuple[str, int]]]
"""From the type and the data of a packed checkpoint to its channels: the version of each, and how many of the
checkpoint's bytes its value takes."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """A thread's lifetime: what goes, the thread or its history, so many minutes after the last change."""

    strategy: Literal["delete", "keep_latest"]
    minutes: float


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
class ThreadDraft:
    """A thread to be made."""

    thread_id: str
    metadata: dict[str, Any]
    expiry: Expiry | None = None
    edit: StateEdit | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """Threads that were deleted, and the runs under way that went with them: workers and followers have to be
    told."""

    threads: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint that survives when the rest of a history is dropped: `versions` are those of its channels."""

    ns: str
    checkpoint_id: str
    versions: dict[str, str]
