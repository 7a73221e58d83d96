"""The stored events of resumable runs."""

from dataclasses import dataclass
from typing import Protocol

from runyard.runtime.storage.port.queue import Lease


@dataclass(frozen=True, slots=True)
class EventChunk:
    """Consecutive events of a resumable run, packed; `first` and `last` are their numbers."""

    first: int
    last: int
    data: bytes


class EventStorage(Protocol):
    """The stored events of resumable runs; they stay for as long as their run."""

    async def append(self, lease: Lease, chunk: EventChunk) -> None:
        """Writes events behind those that are there. Raises LeaseLost."""

    async def read(self, run_id: str, after: int) -> list[EventChunk]:
        """The chunks with events of higher numbers than `after`, in order; the first may begin before it."""

    async def read_thread(self, thread_id: str) -> list[EventChunk]:
        """The stored events of all runs of a thread, run by run."""

    async def last(self, run_id: str) -> int:
        """The number of the last event; 0 if there is none."""
