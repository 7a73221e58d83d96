"""The stored events of resumable runs, and the ends of a thread's runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from runyard.runtime.storage.port.queue import Lease


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events of a resumable run, packed; `first` and `last` are their numbers."""

    first: int
    last: int
    data: bytes


class EventPlace(NamedTuple):
    """A place in the events of a thread: the sequence number of a run, and that of an event of it."""

    seq: int
    number: int


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """Some of a thread's stored events, in order. `next`: behind which the others come; None when there are none."""

    chunks: Sequence[EventChunk]
    next: EventPlace | None


class EndPlace(NamedTuple):
    """A place in the ends of a thread's runs: microseconds since 1970, and the sequence number of a run."""

    ended_at: int
    seq: int


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run of a thread that has ended, or was removed. `unstored`: it was executed and its events are not stored."""

    place: EndPlace
    run_id: str
    unstored: bool


class EventStorage(Protocol):
    """The stored events of resumable runs; they stay for as long as their run, but not longer than their retention."""

    async def append(self, lease: Lease, chunks: Sequence[EventChunk]) -> None:
        """Writes events behind those that are there, all or none. Raises LeaseLost."""

    async def read(self, run_id: str, after: int, *, size: int) -> list[EventChunk]:
        """The chunks with events of higher numbers than `after`, in order; the first may begin before it. At least
        one if there is any, then more until they have `size` bytes together."""

    async def last(self, run_id: str) -> int:
        """The number of the last event; 0 if there is none."""

    async def place(self, thread_id: str, since: int) -> EventPlace:
        """Where to begin to read a thread's events so that none is missed that was made at `since` (milliseconds since
        1970) or later."""

    async def read_thread(self, thread_id: str, after: EventPlace, *, size: int) -> ThreadPage:
        """Stored events of all runs of a thread, run by run; as much as in `read`, maybe less."""

    async def ends(self, thread_id: str, after: EndPlace, *, limit: int) -> list[RunEnd]:
        """The next ends of the thread's runs, in order; of removed runs too, not of temporary ones."""

    async def last_end(self, thread_id: str) -> EndPlace:
        """The last end on the thread; before all ends when there is none."""

    async def end_of(self, thread_id: str, seq: int) -> EndPlace | None:
        """Where the end of that run of the thread is."""

    async def forget(self, older_than: float, limit: int) -> bool:
        """Drops events, and ends of removed runs, that are older than `older_than` seconds; at most `limit` rows of
        each. Whether there may be more."""
