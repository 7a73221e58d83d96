"""Encrypted values, of which storage knows nothing but where they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Noun = Literal[
    "thread", "run", "removed_item", "assistant", "cron", "batch", "item", "checkpoint", "blob", "write", "events"
]


class Place(NamedTuple):
    """Where a value stands: a column of what the noun and its key name.

    `key` is the thread's id, the run's (of events too), the assistant's with all its versions, the cron's, the batch's;
    or it names an item of a batch whose run was removed (batch, index), an item of the store (namespace joined by dots,
    key), a checkpoint (thread, namespace, id), a blob (thread, namespace, channel), or a write (thread, namespace,
    checkpoint, task)."""

    noun: Noun
    key: tuple[str, ...]
    column: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """What takes the place of a value: all of a column where it is bytes, and a part of its JSON where it is text."""

    place: Place
    old: bytes | str
    new: bytes | str


class SealedStorage(Protocol):
    """Values that are encrypted anew."""

    async def replace(self, replacements: Sequence[Replacement]) -> None:
        """Puts the new values in the place of the old ones, where those are still there."""
