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

    def changed(self, buffer: "Buffer", by: int) -> None:
        """The buffer holds so many bytes more."""
        self.size += by
        if by > 0:
            self._waiting.setdefault(buffer)
            if self.size > self.limit:
                self._shorten(buffer)

    def read(self, buffer: "Buffer") -> None:
        """Somebody has taken from the buffer."""
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
        size = _size(event)
        full = bool(self._events) and self._size - _size(self._events[0]) + size > self._limit
        self._events.append(event)
        self._size += size
        self._backlog.changed(self, size)
        if full and self._events:
            self.overflow()

    def take(self) -> list[Event]:
        """The next events, a batch of them; what was taken before has reached its reader."""
        self._backlog.changed(self, -self._taken)
        self._taken = 0
        events: list[Event] = []
        while self._events and (not events or self._taken + _size(self._events[0]) <= BATCH):
            events.append(self._events.popleft())
            self._taken += _size(events[-1])
        self._size -= self._taken
        self._backlog.read(self)
        return events

    def overflow(self) -> None:
        """Drops what waits."""
        self._overflowed(self.clear())

    def clear(self) -> list[Event]:
        """Takes out all that waits."""
        dropped = list(self._events)
        self._events.clear()
        self._backlog.changed(self, -self._size)
        self._size = 0
        self._backlog.read(self)
        return dropped

    def close(self) -> None:
        """Nobody reads any more."""
        self.clear()
        self._backlog.changed(self, -self._taken)
        self._taken = 0


def _size(event: Event) -> int:
    return len(event.data) + EVENT_OVERHEAD
