"""The log of each thread: the stored events of its resumable runs, and the ends of all its runs.

Numbers are given within the transaction that writes, from 1, each once: they grow along a thread, across runs, whatever
clocks say, and stay given when rows are dropped. So whoever has seen number n and is shown n + 1 has missed nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runyard.runtime.storage.port.queue import Lease


@dataclass(frozen=True, slots=True)
class NewEvents:
    """Consecutive events of a resumable run, packed, that are to be written; how many they are."""

    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events of a resumable run, packed; `first` and `last` are their numbers on the thread."""

    first: int
    last: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run of the thread has ended with that status, or was `removed` before it had ended. `last`: the number of that
    on the thread. `unstored`: it was executed and its events are not stored. `at`: when, in milliseconds since 1970; 0
    where only the order matters."""

    last: int
    run_id: str
    status: str
    unstored: bool
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What is known of a run that has ended: whether it speaks the thread event protocol, whether it was executed,
    whether something was next when it ended, and what it answered, if that is kept; not where it has told so itself."""

    graph_id: str
    protocol: bool
    started: bool
    paused: bool
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Ends:
    """Ends on a thread, in order; there are no others up to the number `upto`."""

    ends: Sequence[RunEnd]
    upto: int


class EventStorage(Protocol):
    """The logs of threads. Events of a run stay for as long as the run, ends as long as the thread, but not longer than
    their retention. The ends of temporary runs, whose thread goes with them, are in no log.

    There is no operation that writes an end: whatever ends a run writes it in the same transaction.
    """

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        """Writes events of a run behind all that is in the log, all or none; they are numbered without a gap. Returns
        the number of the last. Raises LeaseLost."""

    async def read(self, run_id: str, after: int, *, size: int) -> list[EventChunk]:
        """The chunks with events of the run of higher numbers than `after`, in order; the first may begin before it. At
        least one if there is any, then more until they have `size` bytes together."""

    async def last(self, run_id: str) -> int:
        """The number of the run's last event; 0 if there is none."""

    async def read_thread(self, thread_id: str, after: int, upto: int, *, size: int) -> list[EventChunk | RunEnd]:
        """What comes next in the log between two numbers, that of `upto` included; chunks may reach beyond them. As
        much as in `read`, maybe less; empty when there is no more."""

    async def last_of_thread(self, thread_id: str) -> int:
        """The last number that was given on the thread; 0 if there is none."""

    async def ends(self, thread_id: str, after: int, *, limit: int) -> Ends:
        """The next ends behind that number; of removed runs too."""

    async def outcome(self, run_id: str) -> RunOutcome | None:
        """What is known of an ended run; None when it is not there any more."""

    async def forget(self, older_than: float, limit: int) -> bool:
        """Drops events of runs that ended, and ends that were written, more than `older_than` seconds ago; at most
        `limit` rows of each. Whether there may be more."""
