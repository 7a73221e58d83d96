"""Events that wait for their readers, bounded for each reader and for all of a process together."""

from collections import deque
from collections.abc import Callable

from runyard.runtime.streams.events import Event

READER_LIMIT = 64 * 2**20
"""Bytes that may wait for one reader behind the first event, which may have any size."""
TOTAL_LIMIT = 256 * 2**20
"""Bytes that may wait for all readers."""
BATCH = 64 * 2**10
"""Bytes that a reader is handed at once: what is on its way cannot be dropped any more."""
EVENT_OVERHEAD = 400
"""Bytes that an event takes beside its data."""


class Backlog:
    """What waits for all readers. Beyond the limit, those lose what waits for them that have left it the longest."""

    def __init__(self, limit: int = TOTAL_LIMIT) -> None:
        self.limit = limit
        self.size = 0
        self._waiting: dict[Buffer, None] = {}

    def put(self, buffer: "Buffer", size: int) -> None:
        """The buffer holds so many bytes more."""
        self.size += size
        if buffer not in self._waiting:
            self._waiting[buffer] = None
        if self.size > self.limit:
            self._shorten(buffer)

    def read(self, buffer: "Buffer", size: int) -> None:
        """So many bytes of the buffer have reached its reader, or were dropped; what is left waits from now on."""
        self.size -= size
        self._waiting.pop(buffer, None)
        if buffer:
            self._waiting[buffer] = None

    def _shorten(self, newest: "Buffer") -> None:
        for buffer in list(self._waiting):
            if self.size <= self.limit:
                return
            if buffer is newest and len(buffer) == 1:
                continue  # an event of any size passes
            buffer.overflow()


class Buffer:
    """What waits for one reader. `overflowed` is called with what had to be dropped."""

    def __init__(
        self, backlog: Backlog, overflowed: Callable[[list[Event]], None], *, limit: int = READER_LIMIT
    ) -> None:
        self._backlog = backlog
        self._overflowed = overflowed
        self._limit = limit
        self._events: deque[Event] = deque()
        self._size = 0
        self._taken = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Takes an event; there may be an overflow instead."""
        size = len(event.data) + EVENT_OVERHEAD
        full = bool(self._events) and self._size + size > self._limit + self._first()
        self._events.append(event)
        self._size += size
        self._backlog.put(self, size)
        if full and self._events:
            self.overflow()

    def _first(self) -> int:
        return len(self._events[0].data) + EVENT_OVERHEAD

    def take(self) -> list[Event]:
        """The next events, a batch of them; what was taken before has reached its reader."""
        sent, taken = self._taken, 0
        events: list[Event] = []
        waiting = self._events
        while waiting:
            size = len(waiting[0].data) + EVENT_OVERHEAD
            if events and taken + size > BATCH:
                break
            events.append(waiting.popleft())
            taken += size
        self._taken = taken
        self._size -= taken
        self._backlog.read(self, sent)
        return events

    def overflow(self) -> None:
        """Drops what waits."""
        self._overflowed(self.clear())

    def clear(self) -> list[Event]:
        """Takes out all that waits."""
        dropped = list(self._events)
        self._events.clear()
        size, self._size = self._size, 0
        self._backlog.read(self, size)
        return dropped

    def close(self) -> None:
        """Nobody reads any more."""
        self.clear()
        self._backlog.read(self, self._taken)
        self._taken = 0
