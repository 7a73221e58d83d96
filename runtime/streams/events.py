"""The events of runs, as they are stored and streamed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import ormsgpack

from runyard.runtime.storage.port.events import EventChunk, EventStorage


class EventId(NamedTuple):
    """An event id "<milliseconds>-<number>": when the event was made, and its place in its run, from 1.

    They compare in the order of the thread's stream. What no server of ours gives out ("-1", which asks for all
    events, included) comes before all others.
    """

    milliseconds: int
    number: int

    @classmethod
    def parse(cls, text: str | None) -> "EventId":
        """Takes any text; a part that cannot be read counts as the beginning."""
        milliseconds, dash, number = (text or "").rpartition("-")
        if text is None or (dash and not milliseconds):
            return cls(-1, 0)
        return cls(int(milliseconds) if milliseconds.isdecimal() else -1, int(number) if number.isdecimal() else 0)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: `data` is JSON without line breaks; `id` is there when the stream is resumable."""

    name: str
    data: bytes
    id: str | None = None

    @property
    def number(self) -> int:
        """The place of an event with an id in its run, from 1; 0 without an id."""
        return EventId.parse(self.id).number


class EventLog:
    """Reads the events of resumable runs back from storage."""

    def __init__(self, storage: EventStorage) -> None:
        self._storage = storage

    async def of_run(self, run_id: str, *, after: int) -> list[Event]:
        """Those of a run that come after a number."""
        events = _unpack(await self._storage.read(run_id, after))
        return [event for event in events if event.number > after]

    async def of_thread(self, thread_id: str, *, after: EventId) -> list[Event]:
        """Those of all runs of a thread that come after an id, run by run."""
        events = _unpack(await self._storage.read_thread(thread_id))
        return [event for event in events if EventId.parse(event.id) > after]


def _unpack(chunks: Iterable[EventChunk]) -> list[Event]:
    return [Event(name, data, event_id) for chunk in chunks for event_id, name, data in ormsgpack.unpackb(chunk.data)]
